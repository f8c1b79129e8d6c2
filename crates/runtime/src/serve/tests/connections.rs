//! Limits of connections, seen from outside.

use super::*;

/// One that has said how it speaks, and was answered.
async fn greeted(address: SocketAddr) -> TcpStream {
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    connection.read_exact(&mut [0; 9]).await.unwrap();
    connection
}

/// Whether the server closes it at once, not having said anything.
async fn is_closed(mut connection: TcpStream) -> bool {
    let read = tokio::time::timeout(Duration::from_millis(500), connection.read(&mut [0])).await;
    // Closed with what was not read unread, it is reset.
    read.is_ok_and(|read| read.unwrap_or(0) == 0)
}

/// The value of a metric, 0 where it is not told yet.
fn metric(fixture: &Fixture, name: &str, part: &str) -> u64 {
    let told = fixture.host.telemetry.prometheus().unwrap();
    let mut lines = told.lines().filter_map(|line| line.strip_prefix(name)).filter(|rest| rest.starts_with([' ', '{']));
    let line = lines.find(|rest| rest.contains(part));
    line.and_then(|line| line.rsplit(' ').next()).map_or(0, |value| value.parse().unwrap())
}

#[tokio::test]
async fn connections_that_are_too_many_are_closed_and_those_there_are_go_on() {
    let limits = LimitArgs { max_connections: 4, max_peer_handshakes: 2, ..LimitArgs::default() };
    let fixture = serve(limits).await;
    let address = fixture.running.address();
    assert_eq!(fixture.call("Echo", text("first")).await.unwrap(), "first");

    let silent = [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];
    assert!(is_closed(TcpStream::connect(address).await.unwrap()).await, "two of the peer say nothing");
    drop(silent);
    until("their places are free", || metric(&fixture, "waymark_server_connections", "") == 1).await;

    let held = [greeted(address).await, greeted(address).await, greeted(address).await];
    assert!(is_closed(TcpStream::connect(address).await.unwrap()).await, "four are open");
    assert_eq!(fixture.call("Echo", text("still here")).await.unwrap(), "still here");
    drop(held);
    until("their places are free", || metric(&fixture, "waymark_server_connections", "") == 1).await;
    greeted(address).await;
    for limit in ["connections", "handshakes"] {
        assert_eq!(metric(&fixture, "waymark_server_connections_refused_total", limit), 1, "{limit}");
    }
}
