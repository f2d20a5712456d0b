//! A small HTTP/1.1 server on loopback whose answers a test decides. It can lie in every way that a real one can.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A connection, with TLS or without.
trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

/// A request as it arrived.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The headers, their names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    /// Whether the body was read to its end.
    pub is_whole: bool,
}

impl Asked {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The first byte of the range that is asked for.
    pub fn range(&self) -> Option<usize> {
        let range = self.header("range").strip_prefix("bytes=")?;
        range.split('-').next()?.parse().ok()
    }

    /// The last byte of the range that is asked for, if the request names one.
    fn range_end(&self) -> Option<usize> {
        self.header("range").rsplit('-').next()?.parse().ok()
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    announced: Option<u64>,
    cut: Option<usize>,
    endless: bool,
    drip: Option<Duration>,
}

impl Reply {
    pub fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            announced: None,
            cut: None,
            endless: false,
            drip: None,
        }
    }

    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Changes the body that is sent, but not the size that is announced.
    pub fn really(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.announced = Some(self.body.len() as u64);
        self.body = body.into();
        self
    }

    /// Announces another size.
    pub fn announcing(mut self, size: u64) -> Self {
        self.announced = Some(size);
        self
    }

    /// Closes the connection after so many bytes of the body.
    pub fn cut(mut self, at: usize) -> Self {
        self.cut = Some(at);
        self
    }

    /// Sends the body again and again.
    pub fn endless(mut self) -> Self {
        self.endless = true;
        self
    }

    /// Waits this long before each byte.
    pub fn drip(mut self, each: Duration) -> Self {
        self.drip = Some(each);
        self
    }

    /// A part of a content, as the range of the request says.
    pub fn part(asked: &Asked, content: &[u8]) -> Self {
        match asked.range() {
            None => Self::new(200).body(content),
            Some(at) if at < content.len() => {
                let last = asked.range_end().unwrap_or(usize::MAX).min(content.len() - 1);
                let range = format!("bytes {at}-{last}/{}", content.len());
                Self::new(206).with("Content-Range", range).body(&content[at..=last])
            }
            Some(_) => Self::new(416),
        }
    }

    fn send(&self, asked: &Asked, out: &mut dyn Write) -> std::io::Result<()> {
        let mut head = format!("HTTP/1.1 {} Said\r\nConnection: close\r\n", self.status);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !self.headers.iter().any(|(name, _)| name == "Transfer-Encoding") {
            let size = self.announced.unwrap_or(self.body.len() as u64);
            head += &format!("Content-Length: {size}\r\n");
        }
        out.write_all(format!("{head}\r\n").as_bytes())?;
        if asked.method == "HEAD" {
            return Ok(());
        }
        let end = self.cut.unwrap_or(self.body.len()).min(self.body.len());
        if let Some(each) = self.drip {
            for byte in &self.body[..end] {
                std::thread::sleep(each);
                out.write_all(&[*byte])?;
            }
            return Ok(());
        }
        out.write_all(&self.body[..end])?;
        if self.endless {
            loop {
                out.write_all(&self.body)?;
            }
        }
        Ok(())
    }
}

/// A running server. It ends with the process of the test.
#[derive(Clone)]
pub struct Server {
    pub port: u16,
    tls: Option<Arc<ServerConfig>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    most: Arc<AtomicU64>,
}

impl Server {
    /// Starts a server that answers by `answer`.
    pub fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_with(None, answer)
    }

    /// Starts a server that is reached over TLS, with the certificate and the key in these files.
    pub fn start_tls(
        (certificate, key): (&Path, &Path),
        answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let certificate = CertificateDer::from_pem_file(certificate).unwrap();
        let key = PrivateKeyDer::from_pem_file(key).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        Self::start_with(Some(Arc::new(config)), answer)
    }

    fn start_with(tls: Option<Arc<ServerConfig>>, answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            tls,
            asked: Arc::default(),
            most: Arc::new(AtomicU64::new(u64::MAX)),
        };
        let (own, answer) = (server.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (own, answer) = (own.clone(), Arc::clone(&answer));
                // A client that is killed breaks its connections.
                std::thread::spawn(move || drop(own.serve(connection, &*answer)));
            }
        });
        server
    }

    /// From now on, reads so many bytes of a request's body and then closes the connection.
    pub fn cut_uploads(&self, at: u64) {
        self.most.store(at, Ordering::Relaxed);
    }

    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// Everything that was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub fn count(&self, method: &str) -> usize {
        self.asked().iter().filter(|asked| asked.method == method).count()
    }

    fn serve(&self, connection: TcpStream, answer: &dyn Fn(&Asked) -> Reply) -> std::io::Result<()> {
        connection.set_read_timeout(Some(Duration::from_secs(30)))?;
        connection.set_write_timeout(Some(Duration::from_secs(30)))?;
        let stream: Box<dyn Stream> = match &self.tls {
            Some(config) => Box::new(StreamOwned::new(
                ServerConnection::new(Arc::clone(config)).map_err(std::io::Error::other)?,
                connection,
            )),
            None => Box::new(connection),
        };
        let mut reader = BufReader::new(stream);
        let mut asked = Asked::default();
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let mut words = line.split_whitespace().map(str::to_owned);
        (asked.method, asked.path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim().split_once(':') else {
                break;
            };
            asked.headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let size: u64 = asked.header("content-length").parse().unwrap_or_default();
        let most = self.most.load(Ordering::Relaxed);
        let read = (&mut reader).take(size.min(most)).read_to_end(&mut asked.body);
        asked.is_whole = read.is_ok() && asked.body.len() as u64 == size;
        let reply = answer(&asked);
        let whole = asked.is_whole;
        let logged = Asked {
            body: Vec::new(),
            ..asked.clone()
        };
        self.asked.lock().unwrap().push(logged);
        match whole {
            true => reply.send(&asked, reader.get_mut()),
            false => Ok(()),
        }
    }
}
