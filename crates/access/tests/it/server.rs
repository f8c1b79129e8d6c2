//! A server of keys that does what a test says, over HTTP or TLS, and counts what it is asked.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What a server answers.
#[derive(Clone)]
pub enum Answer {
    /// This body, as JSON.
    Json(String),
    /// This status line, header and body.
    Raw(&'static str, String, &'static str),
    /// A body of a hundred megabytes.
    Huge,
    /// Nothing.
    Never,
}

/// A server that listens until the process ends.
#[derive(Clone)]
pub struct Server {
    pub url: String,
    said: Arc<Mutex<Said>>,
}

#[derive(Default)]
struct Said {
    answers: BTreeMap<String, Answer>,
    asked: Vec<(String, Option<String>)>,
}

impl Server {
    pub fn plain() -> Self {
        Self::new("http://127.0.0.1", None)
    }

    pub fn tls(config: ServerConfig) -> Self {
        Self::new("https://localhost", Some(Arc::new(config)))
    }

    fn new(place: &str, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{place}:{}", listener.local_addr().unwrap().port());
        let said: Arc<Mutex<Said>> = Arc::default();
        let server = Self { url, said: Arc::clone(&said) };
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (said, tls) = (Arc::clone(&said), tls.clone());
                thread::spawn(move || match tls {
                    // A client that goes away in the middle is what some tests are about.
                    None => drop(serve(stream, &said)),
                    Some(config) => {
                        let connection = ServerConnection::new(config).unwrap();
                        drop(serve(StreamOwned::new(connection, stream), &said));
                    }
                });
            }
        });
        server
    }

    /// Answers so from now on.
    pub fn answer(&self, path: &str, answer: Answer) {
        self.said.lock().unwrap().answers.insert(path.to_owned(), answer);
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.said.lock().unwrap().asked.len()
    }

    /// The path and the `authorization` of each request.
    pub fn requests(&self) -> Vec<(String, Option<String>)> {
        self.said.lock().unwrap().asked.clone()
    }
}

fn serve(stream: impl Read + Write, said: &Mutex<Said>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut request, mut authorization) = (String::new(), None);
    stream.read_line(&mut request)?;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        match line.trim().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("authorization") => authorization = Some(value.to_owned()),
            Some(_) => {}
            None => break,
        }
    }
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let answer = {
        let mut said = said.lock().unwrap();
        let answer = said.answers.get(&path).cloned();
        said.asked.push((path, authorization));
        answer.unwrap_or(Answer::Raw("404 Not Found", String::new(), ""))
    };
    let stream = stream.get_mut();
    match answer {
        Answer::Json(body) => {
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
            )?;
        }
        Answer::Raw(status, header, body) => {
            write!(stream, "HTTP/1.1 {status}\r\n{header}content-length: {}\r\n\r\n{body}", body.len())?;
        }
        Answer::Huge => {
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n")?;
            let spaces = vec![b' '; 100_000];
            for _ in 0..1_000 {
                stream.write_all(&spaces)?;
            }
        }
        Answer::Never => thread::sleep(Duration::from_mins(1)),
    }
    stream.flush()
}
