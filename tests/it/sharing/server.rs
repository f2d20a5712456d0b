//! A real registry on loopback: CNCF Distribution, as Debian packages it.

use std::collections::BTreeSet;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A registry that ends with this value.
pub struct RegistryServer {
    child: Child,
    port: u16,
    log: PathBuf,
    temp: tempfile::TempDir,
}

/// Returns a port of loopback that nothing listens on.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl RegistryServer {
    /// Starts a registry that everybody may use.
    pub fn start() -> Self {
        Self::with("")
    }

    /// Starts a registry for users of a password file.
    pub fn with_passwords(file: &Path) -> Self {
        Self::with(&format!(
            "auth: {{htpasswd: {{realm: test, path: {}}}}}\n",
            file.display()
        ))
    }

    fn with(more: &str) -> Self {
        let temp = tempfile::Builder::new().prefix("git-pack-test-").tempdir().unwrap();
        let (config, log) = (temp.path().join("config.yml"), temp.path().join("log"));
        // Somebody else may take the port before the registry does.
        for _ in 0..5 {
            let port = free_port();
            let text = format!(
                "version: 0.1\nlog: {{level: error}}\nstorage:\n  filesystem: {{rootdirectory: {}}}\n  delete: {{enabled: true}}\n\
                 http: {{addr: \"127.0.0.1:{port}\", secret: x}}\n{more}",
                temp.path().join("data").display()
            );
            fs::write(&config, text).unwrap();
            let written = fs::File::create(&log).unwrap();
            let mut child = Command::new("docker-registry")
                .arg("serve")
                .arg(&config)
                .stdin(Stdio::null())
                .stdout(written.try_clone().unwrap())
                .stderr(written)
                .spawn()
                .expect("docker-registry is needed: tests/run installs it");
            for _ in 0..400 {
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return Self { child, port, log, temp };
                }
                if child.try_wait().unwrap().is_some() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(25));
            }
            drop(child.kill());
            drop(child.wait());
        }
        panic!("the registry does not start: {}", fs::read_to_string(&log).unwrap());
    }

    /// Returns its host and port.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Returns the address of a repository in it.
    pub fn address(&self, repository: &str) -> String {
        format!("oci://{}/{repository}", self.host())
    }

    /// Returns the requests so far that begin with `method` and have `part` in their path.
    pub fn requests(&self, method: &str, part: &str) -> usize {
        let log = fs::read_to_string(&self.log).unwrap();
        let begins = format!("\"{method} ");
        let requests = log
            .lines()
            .filter_map(|line| line.split_once(&begins))
            .map(|(_, rest)| rest);
        requests
            .filter(|rest| rest.split(' ').next().unwrap().contains(part))
            .count()
    }

    /// Returns the digests of the contents that a repository was sent whole so far, as often as they were sent.
    pub fn stored(&self, repository: &str) -> Vec<String> {
        let log = fs::read_to_string(&self.log).unwrap();
        let begins = format!("\"PUT /v2/{repository}/blobs/uploads/");
        let puts = log
            .lines()
            .filter_map(|line| line.split_once(&begins)?.1.split_once('"'));
        puts.filter(|(_, answer)| answer.starts_with(" 201 "))
            .map(|(put, _)| {
                let digest = put.split_once("digest=").unwrap().1;
                digest.split([' ', '&']).next().unwrap().replace("%3A", ":")
            })
            .collect()
    }

    /// Returns the digests of the contents that a repository has.
    pub fn blobs(&self, repository: &str) -> BTreeSet<String> {
        let layers = format!("data/docker/registry/v2/repositories/{repository}/_layers/sha256");
        let names = fs::read_dir(self.temp.path().join(layers)).into_iter().flatten();
        let whole = names
            .map(Result::unwrap)
            .filter(|name| name.path().join("link").exists());
        whole
            .map(|name| format!("sha256:{}", name.file_name().to_str().unwrap()))
            .collect()
    }
}

impl Drop for RegistryServer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
