//! The rate of handshakes from all addresses together, over real sockets.

use super::*;

#[tokio::test]
async fn handshakes_beyond_the_rate_of_all_wait_for_their_turn_and_get_it() {
    let bench = Bench::new();
    let limits = Limits { handshakes: Rate::per_second(1, 4), ..Limits::default() };
    let mut gateway = bench.listen_with(bench.settings(), limits).await;
    let connector = bench.connector(&bench.issue(&bench.leaf()), gateway.address);
    let begun = Instant::now();
    for _ in 0..4 {
        let _client = dial(&connector).await;
        let _server = gateway.next().await;
    }
    // One at once and three turns of a quarter; a slow machine only takes longer.
    assert!(begun.elapsed() >= Duration::from_millis(700), "{:?}", begun.elapsed());
    assert!(gateway.heard.0.lock().is_empty());
}

#[tokio::test]
async fn sockets_that_say_nothing_or_no_greeting_take_no_turn() {
    let bench = Bench::new();
    let limits = Limits { handshakes: Rate { burst: 1, every_micros: 60_000_000 }, ..Limits::default() };
    let mut gateway = bench.listen_with(bench.settings(), limits).await;
    let mut silent = Vec::new();
    for _ in 0..5 {
        silent.push(TcpStream::connect(gateway.address).await.unwrap());
        let mut babbler = TcpStream::connect(gateway.address).await.unwrap();
        babbler.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        drop(TcpStream::connect(gateway.address).await.unwrap());
        silent.push(babbler);
    }
    assert_eq!(gateway.heard.wait_for(10).await, [HandshakeReason::Protocol; 10], "those that left and those that babbled");
    let _client = dial(&bench.connector(&bench.issue(&bench.leaf()), gateway.address)).await;
    let _server = gateway.next().await;
}

#[tokio::test]
async fn a_handshake_whose_turn_does_not_come_in_time_is_counted_as_timeout() {
    let bench = Bench::new();
    let handshakes = Rate { burst: 1, every_micros: 60_000_000 };
    let limits = Limits { handshakes, handshake_timeout: Duration::from_millis(300), ..Limits::default() };
    let mut gateway = bench.listen_with(bench.settings(), limits).await;
    let connector = bench.connector(&bench.issue(&bench.leaf()), gateway.address);
    let _client = dial(&connector).await;
    let _server = gateway.next().await;
    assert!(is_refused(&connector).await);
    assert_eq!(gateway.heard.wait_for(1).await, [HandshakeReason::Timeout]);
}
