//! Limits of principals, of peers, and of those who send slowly.

use super::*;

/// A server for principals with limits of two calls and one stream.
async fn limited() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("limits.yaml");
    std::fs::write(&path, "costs: { watch: 0 }\nprincipals: [{ names: [\"*\"], rate: 0.001, burst: 2, watches: 1 }]")
        .unwrap();
    let mut host = Host::local(Clock::system(), Ids::seeded(1)).unwrap();
    host.limits = Some(crate::limits::open(&path, &host).await.unwrap());
    serve_on(host, ServerArgs::default()).await
}

fn by(actor: &str) -> tonic::Request<String> {
    let mut request = text("");
    request.metadata_mut().insert("waymark-actor", actor.parse().unwrap());
    request
}

#[tokio::test]
async fn a_principal_over_its_rate_is_refused_and_no_other() {
    let fixture = limited().await;
    for _ in 0..2 {
        fixture.call("Echo", by("users/ada")).await.unwrap();
    }
    let refused = fixture.call("Echo", by("users/ada")).await.unwrap_err();
    assert_eq!(reason(&refused), (Code::ResourceExhausted, "RATE_LIMITED".into()));
    let details = refused.get_error_details();
    assert_eq!(details.quota_failure().unwrap().violations[0].subject, "users/ada");
    assert_eq!(details.error_info().unwrap().metadata["limited"], "users/ada");
    assert!(details.retry_info().unwrap().retry_delay > Some(Duration::from_mins(15)));
    fixture.call("Echo", by("users/bob")).await.unwrap();
    let text = fixture.host.telemetry.prometheus().unwrap();
    assert!(text.lines().any(|line| line.contains("error_type=\"RATE_LIMITED\"") && line.ends_with(" 1")), "{text}");
}

#[tokio::test]
async fn a_stream_has_a_place_until_it_ends() {
    let fixture = limited().await;
    let open = async || {
        let mut grpc = tonic::client::Grpc::new(fixture.channel.clone());
        grpc.ready().await.unwrap();
        let opened =
            grpc.server_streaming(by("users/ada"), path("Stream"), ProstCodec::<String, String>::default()).await;
        opened.map(tonic::Response::into_inner)
    };
    let first = open().await.unwrap();
    assert_eq!(reason(&open().await.unwrap_err()), (Code::ResourceExhausted, "RATE_LIMITED".into()));
    drop(first);
    let again = tokio::time::timeout(Duration::from_secs(10), async {
        while open().await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(again.await.is_ok(), "its place is free again");
}

#[tokio::test]
async fn who_sends_slowly_takes_no_place_from_others() {
    let limits = LimitArgs { max_concurrency: 1, max_message_time: Duration::from_secs(2), ..LimitArgs::default() };
    let fixture = serve(limits).await;
    let slow = async || {
        let mut grpc = tonic::client::Grpc::new(fixture.channel.clone());
        grpc.ready().await.unwrap();
        let never = tonic::Request::new(futures::stream::pending::<String>());
        let answer = grpc.client_streaming(never, path("Echo"), ProstCodec::<String, String>::default()).await;
        answer.map(|_: tonic::Response<String>| ()).unwrap_err()
    };
    let others = async {
        let active = || fixture.host.telemetry.prometheus().unwrap().contains("rpc_server_active{");
        until("slow calls", active).await;
        for _ in 0..20 {
            fixture.call("Echo", text("")).await.unwrap();
        }
    };
    let (refused, ()) = tokio::join!(futures::future::join_all((0..50).map(|_| slow())), others);
    for status in refused {
        assert_eq!(reason(&status), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED".into()));
    }
}

#[tokio::test]
async fn health_asked_without_end_is_refused_after_a_while() {
    let fixture = serve(LimitArgs::default()).await;
    let mut health = HealthClient::new(fixture.channel.clone());
    let mut refused = None;
    for _ in 0..100_000 {
        refused = health.check(HealthCheckRequest::default()).await.err();
        if refused.is_some() {
            break;
        }
    }
    assert_eq!(reason(&refused.unwrap()), (Code::ResourceExhausted, "RATE_LIMITED".into()));
}
