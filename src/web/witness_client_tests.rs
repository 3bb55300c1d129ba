use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// A server that reads a request and then writes `answer`, over and over if `endless`.
async fn server(answer: &'static [u8], endless: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let Ok((mut socket, _)) = listener.accept().await else { return };
            tokio::spawn(async move {
                let mut request = Vec::new();
                let mut buffer = [0; 1024];
                while !request.ends_with(b"the end\n") {
                    match socket.read(&mut buffer).await {
                        Ok(n) if n > 0 => request.extend_from_slice(&buffer[..n]),
                        _ => return,
                    }
                }
                let text = String::from_utf8(request).unwrap();
                assert!(text.starts_with("POST /w/add-checkpoint HTTP/1.1\r\n"), "{text}");
                while socket.write_all(answer).await.is_ok() && endless {}
                if answer.is_empty() {
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    address
}

async fn call(address: SocketAddr) -> Result<Heard, NotHeard> {
    let client = WitnessClient { tls: None, timeout: Duration::from_secs(2) };
    client.add_checkpoint(&format!("http://{address}/w/"), "the end\n".to_owned()).await
}

#[tokio::test]
async fn a_whole_answer_is_heard() {
    let answer = b"HTTP/1.1 409 Conflict\r\ncontent-type: text/x.tlog.size\r\ncontent-length: 3\r\n\r\n12\n";
    let heard = call(server(answer, false).await).await.unwrap();
    assert_eq!(heard, Heard { status: 409, content_type: "text/x.tlog.size".to_owned(), body: b"12\n".to_vec() });
    let to_the_end = call(server(b"HTTP/1.0 200 OK\r\n\r\nline\n", false).await).await.unwrap();
    assert_eq!((to_the_end.status, &to_the_end.body[..]), (200, &b"line\n"[..]));
}

#[tokio::test]
async fn servers_that_are_slow_endless_or_none_are_given_up() {
    assert_eq!(call(server(b"", false).await).await, Err(NotHeard::TooSlow));
    assert_eq!(call(server(b"no http at all\n", false).await).await, Err(NotHeard::Unreachable));
    assert_eq!(call(server(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\ncut", false).await).await, Err(NotHeard::Unreachable));
    assert!(call(server(b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n", false).await).await.is_err());
    let chunk: &'static [u8] = b"HTTP/1.1 200 OK\r\n\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    assert_eq!(call(server(chunk, true).await).await, Err(NotHeard::TooLong));
    let headers: &'static [u8] = b"HTTP/1.1 200 OK\r\nx: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy";
    assert!(call(server(headers, true).await).await.is_err());
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_eq!(call(nobody).await, Err(NotHeard::Unreachable));
}

#[tokio::test]
async fn an_address_is_http_or_https_with_trusted_authorities() {
    let client = WitnessClient::new(None);
    for (url, error) in [
        ("https://localhost:1/w", NotHeard::Tls),
        ("ftp://localhost/w", NotHeard::Url),
        ("localhost", NotHeard::Url),
        ("", NotHeard::Url),
        ("http://", NotHeard::Url),
        ("http://a b/", NotHeard::Url),
    ] {
        assert_eq!(client.add_checkpoint(url, String::new()).await, Err(error), "{url}");
    }
}
