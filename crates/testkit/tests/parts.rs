//! The parts themselves: that they start, break as told, and leave nothing behind.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::kill;
use nix::unistd::Pid;
use sea_orm::{ConnectionTrait as _, Database};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use waymark_testkit::addresses::Addresses;
use waymark_testkit::process::Process;
use waymark_testkit::{Engine, FaultProxy, NatsServer, Postgres, database, host, wait_until};

const LIMIT: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_database_of_either_engine_is_migrated_and_private() {
    for engine in Engine::each() {
        let migrate = async |addresses: Addresses| {
            let connection = Database::connect(addresses.owner()).await?;
            connection.execute_unprepared("CREATE TABLE thing (id integer primary key)").await?;
            Ok(connection.close().await?)
        };
        let (one, other) =
            (database(engine, "testkit", migrate).await.unwrap(), database(engine, "testkit", migrate).await.unwrap());
        let insert = "INSERT INTO thing VALUES (1)";
        for url in [one.url(), other.url()] {
            Database::connect(url).await.unwrap().execute_unprepared(insert).await.unwrap();
        }
        assert!(
            Database::connect(one.url()).await.unwrap().execute_unprepared(insert).await.is_err(),
            "{engine:?} kept the row"
        );
    }
}

#[tokio::test]
async fn a_private_postgres_leaves_nothing_behind() {
    let mut server = Postgres::start().unwrap();
    let folder = server.url().split("host=").nth(1).unwrap().to_owned();
    assert!(Database::connect(server.empty().await.unwrap()).await.is_ok());
    assert!(Path::new(&folder).exists());
    server.process().unwrap().kill();
    assert!(!Path::new(&folder).exists());
}

#[tokio::test]
async fn nats_keeps_what_it_stored_over_a_restart_and_loses_it_when_wiped() {
    let mut server = NatsServer::start().await.unwrap();
    let streams = async |server: &NatsServer| {
        let stream = async_nats::jetstream::new(async_nats::connect(server.url()).await.unwrap());
        let config = async_nats::jetstream::stream::Config {
            name: "KEPT".into(),
            subjects: vec!["kept".into()],
            ..Default::default()
        };
        stream.get_or_create_stream(config).await.unwrap();
        stream.publish("kept", "x".into()).await.unwrap().await.unwrap().sequence
    };
    assert_eq!(streams(&server).await, 1);
    server.restart().await.unwrap();
    assert_eq!(streams(&server).await, 2);
    server.wipe().await.unwrap();
    assert_eq!(streams(&server).await, 1);

    server.pause().unwrap();
    let hanging = async_nats::ConnectOptions::new().connection_timeout(Duration::from_millis(300));
    assert!(hanging.connect(server.url()).await.is_err());
    server.resume().unwrap();
    assert!(async_nats::connect(server.url()).await.is_ok());
    server.kill();
    assert!(async_nats::connect(server.url()).await.is_err());
}

#[test]
fn a_program_that_ends_at_once_is_seen_to_have_ended() {
    let process = Process::start(Path::new("/bin/false"), &[]).unwrap();
    let end = std::time::Instant::now() + LIMIT;
    while !process.has_ended() {
        assert!(std::time::Instant::now() < end);
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn a_killed_child_is_gone() {
    let mut process = Process::start(Path::new("/bin/sleep"), &["600"]).unwrap();
    let alive = |pid| kill(Pid::from_raw(pid), None).is_ok();
    assert!(alive(process.pid()) && !process.has_ended());
    process.kill();
    assert!(!alive(process.pid()));
}

#[tokio::test]
async fn the_proxy_passes_stalls_and_cuts() {
    let echo = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target: SocketAddr = echo.local_addr().unwrap();
    let (fixture, _) = host(1);
    fixture.tasks.spawn_detached(async move {
        loop {
            let (mut stream, _) = echo.accept().await.unwrap();
            let mut byte = [0];
            while stream.read_exact(&mut byte).await.is_ok() && stream.write_all(&byte).await.is_ok() {}
        }
    });
    let proxy = FaultProxy::start(target).await.unwrap();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    let mut byte = [0];
    stream.write_all(b"a").await.unwrap();
    stream.read_exact(&mut byte).await.unwrap();
    proxy.stall();
    stream.write_all(b"b").await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(100), stream.read_exact(&mut byte)).await.is_err());
    proxy.pass();
    stream.read_exact(&mut byte).await.unwrap();
    assert_eq!(&byte, b"b");
    proxy.cut();
    assert_eq!(stream.read(&mut byte).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn the_host_stands_still() {
    let (host, hand) = host(1);
    let before = host.clock.now();
    hand.advance(Duration::from_secs(5));
    assert_eq!((host.clock.now() - before).num_seconds(), 5);
    let (again, _) = waymark_testkit::host(1);
    assert_eq!(host.ids.opaque(), again.ids.opaque());
    wait_until("true", LIMIT, async || true).await;
}
