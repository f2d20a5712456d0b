//! Packs in an OCI registry: one repository, a tag for each pack, one layer for each file.

pub mod auth;
mod pages;
mod published;
mod referrers;
mod upload;

use std::io::Read;
use std::sync::Arc;

use url::Url;

use crate::adapters::network::address::is_loopback;
use crate::adapters::network::http::{Call, Http, HttpAnswer, Method};
use crate::adapters::network::patience::Patience;
use crate::adapters::network::resume::Resuming;
use crate::adapters::network::retry::{Again, Failure, repeat};
use crate::adapters::place::{Outgoing, OutgoingMember, PackAtPlace, PackPlace, Progress};
use crate::adapters::published::PublishedPack;
use crate::adapters::store::{Store, Take, checked};
use crate::format::attachment::Attachment;
use crate::format::destination::Which;
use crate::format::digest::Digest;
use crate::format::manifest::MAX_BYTES;
use crate::format::member_path::MANIFEST;
use crate::format::oci::{self, Files, IMAGE_INDEX, IMAGE_MANIFEST, ImageDocument, MAX_IMAGE, Parsed};
use crate::refusal::transport::TransportFault;
use crate::refusal::{Refusal, Result};
use auth::{Auth, LoginPlaces, RegistryAccess};
use published::RegistryPack;

/// A repository of a registry.
#[derive(Clone)]
pub struct OciRegistry {
    http: Arc<Http>,
    auth: Arc<Auth>,
    base: Url,
    shown: String,
}

/// How a registry is reached.
#[derive(Clone, Debug, Default)]
pub struct RegistryReach {
    /// Where credentials are.
    pub login: LoginPlaces,
    /// Whether plain HTTP may be used.
    pub insecure: bool,
}

impl OciRegistry {
    /// Returns a repository. Nothing is sent yet.
    pub fn of(host: &str, repository: &str, reach: RegistryReach) -> Result<Self> {
        let shown = format!("oci://{host}/{repository}");
        let refused = |fault| Refusal::Transport {
            place: shown.clone(),
            fault,
        };
        // Docker's own name for its registry.
        let server = if host == "docker.io" {
            "registry-1.docker.io"
        } else {
            host
        };
        let bare = server.rsplit_once(':').map_or(server, |(bare, _)| bare);
        let scheme = match reach.insecure || is_loopback(bare) {
            true => "http",
            false => "https",
        };
        let base: Url = format!("{scheme}://{server}/v2/{repository}/").parse().map_err(|_| {
            refused(TransportFault::Malformed {
                what: "the address",
                said: "it is not a URL".into(),
            })
        })?;
        let http = Http::of(&base, reach.insecure, Patience::default()).map_err(refused)?;
        Ok(Self {
            http: Arc::new(http),
            auth: Arc::new(Auth::of(host, repository, reach.login)),
            base,
            shown,
        })
    }

    fn refused(&self, fault: TransportFault) -> Refusal {
        Refusal::Transport {
            place: self.shown.clone(),
            fault,
        }
    }

    fn url(&self, below: &str) -> Url {
        self.base.join(below).expect("digests and tags are parts of a path")
    }

    /// Sends a request, and answers the challenge that comes back.
    fn ask(&self, call: &Call<'_>, body: &[u8], access: RegistryAccess) -> Result<HttpAnswer, TransportFault> {
        self.authorized(access, |credential| {
            self.http.ask(
                &Call {
                    credential,
                    method: call.method.clone(),
                    ..*call
                },
                body,
            )
        })
    }

    /// Calls `send` with the credential that is known, and once more after a challenge.
    fn authorized(
        &self,
        access: RegistryAccess,
        mut send: impl FnMut(Option<&crate::adapters::network::http::Credential>) -> Result<HttpAnswer, TransportFault>,
    ) -> Result<HttpAnswer, TransportFault> {
        let known = self.auth.known(access);
        let answer = send(known.as_deref())?;
        // A host that the registry led to must not ask for the password of the registry.
        if answer.status != 401 || answer.url.origin() != self.base.origin() {
            return Ok(answer);
        }
        self.auth.answer(&self.http, &answer, access)?;
        let answer = send(self.auth.known(access).as_deref())?;
        match answer.status {
            401 => Err(TransportFault::Unauthorized {
                sought: "the Docker configuration".into(),
                found: true,
            }),
            _ => Ok(answer),
        }
    }

    /// Returns a document of at most `max` bytes by its tag or digest. `None` if there is none.
    fn document(&self, reference: &str, max: u64) -> Result<Option<Vec<u8>>, TransportFault> {
        let url = self.url(&format!("manifests/{reference}"));
        let accept = format!("{IMAGE_MANIFEST}, {IMAGE_INDEX}");
        let call = Call {
            headers: &[("accept", &accept)],
            bytes: max,
            ..Call::new(Method::GET, &url, None)
        };
        let answer = self.ask(&call, b"", RegistryAccess::Pull)?;
        match answer.status {
            200 => answer.bytes(max).map(Some),
            404 => Ok(None),
            _ => Err(answer.fault()),
        }
    }

    /// Returns a document of at most `max` bytes by its digest, which it must have.
    fn document_of(&self, digest: &Digest, max: u64) -> Result<Option<Vec<u8>>, TransportFault> {
        let Some(bytes) = self.document(&digest.to_string(), max)? else {
            return Ok(None);
        };
        match Digest::of(&bytes) == *digest {
            true => Ok(Some(bytes)),
            false => Err(TransportFault::WrongContent {
                wanted: digest.to_string(),
            }),
        }
    }

    /// Returns the files of a pack, by a document of the registry.
    fn files(&self, bytes: &[u8]) -> Result<Files, TransportFault> {
        let malformed = |said| TransportFault::Malformed {
            what: "the image manifest",
            said,
        };
        let images = match oci::parse(bytes).map_err(malformed)? {
            Parsed::Image(files) => return Ok(files),
            Parsed::Index(images) => images,
        };
        let mut files = Files::new();
        for (digest, _) in images {
            let image = self.document_of(&digest, MAX_IMAGE)?;
            let image = image.ok_or_else(|| TransportFault::NotFound {
                what: format!("the image manifest {digest}"),
            })?;
            let Parsed::Image(more) = oci::parse(&image).map_err(malformed)? else {
                return Err(malformed("it is an index in an index".into()));
            };
            for (path, file) in more {
                if files.insert(path.clone(), file).is_some() {
                    return Err(malformed(format!("two layers have the title {path:?}")));
                }
            }
        }
        Ok(files)
    }

    /// Passes a blob of `size` bytes to `take`, from byte 0. Goes on where a connection breaks.
    fn blob(&self, digest: &Digest, size: u64) -> Result<Resuming<'_>, TransportFault> {
        let digest = *digest;
        let url = self.url(&format!("blobs/{digest}"));
        Resuming::open(
            size,
            Box::new(move |at| {
                let range = format!("bytes={at}-");
                let headers = [("range", range.as_str())];
                let headers = if at == 0 { &[][..] } else { &headers[..] };
                let call = Call {
                    headers,
                    bytes: size - at,
                    ..Call::new(Method::GET, &url, None)
                };
                let answer = self.ask(&call, b"", RegistryAccess::Pull)?;
                match answer.status {
                    404 => Err(TransportFault::NotFound {
                        what: format!("the blob {digest}"),
                    }),
                    _ => Ok(answer),
                }
            }),
        )
    }

    /// Returns the size of a blob. `None` if there is none.
    fn size_of(&self, digest: &Digest, access: RegistryAccess) -> Result<Option<u64>, TransportFault> {
        let url = self.url(&format!("blobs/{digest}"));
        let answer = self.ask(&Call::new(Method::HEAD, &url, None), b"", access)?;
        match answer.status {
            200 => Ok(Some(answer.size().unwrap_or_default())),
            404 => Ok(None),
            _ => Err(answer.fault()),
        }
    }

    /// Stores a document. Returns whether the registry says that it lists it with the referrers of its subject.
    fn store_document(&self, document: &ImageDocument, reference: &str) -> Result<bool, TransportFault> {
        let url = self.url(&format!("manifests/{reference}"));
        let call = Call {
            headers: &[("content-type", document.media_type)],
            bytes: document.bytes.len() as u64,
            ..Call::new(Method::PUT, &url, None)
        };
        repeat(|| {
            let answer = self.ask(&call, &document.bytes, RegistryAccess::Push);
            match answer.map_err(Failure::last)? {
                answer if (200..300).contains(&answer.status) => Ok(answer.header("oci-subject").is_some()),
                // A registry that keeps files reads one of them while another push writes it, and finds a wrong digest.
                answer if answer.status == 400 => Err(Failure {
                    again: Again::Soon,
                    ..answer.failure()
                }),
                answer => Err(answer.failure()),
            }
        })
    }

    fn documents_of(pack: &Outgoing<'_>) -> Vec<ImageDocument> {
        let layers: Vec<_> = pack
            .members
            .iter()
            .map(|file| (file.path.as_str(), file.hash, file.size))
            .collect();
        oci::documents(&layers, &pack.labels)
    }
}

impl Store for OciRegistry {
    fn name(&self) -> &'static str {
        "the registry"
    }

    fn contains(&self, hash: &Digest) -> Result<bool> {
        let size = self
            .size_of(hash, RegistryAccess::Pull)
            .map_err(|fault| self.refused(fault))?;
        Ok(size.is_some())
    }

    fn get(&self, hash: &Digest, take: Take<'_>) -> Result<bool> {
        let Some(size) = self
            .size_of(hash, RegistryAccess::Pull)
            .map_err(|fault| self.refused(fault))?
        else {
            return Ok(false);
        };
        let mut content = self.blob(hash, size).map_err(|fault| self.refused(fault))?;
        checked(self.name(), hash, &mut content, take).map(|()| true)
    }
}

impl PackPlace for OciRegistry {
    fn shown(&self) -> String {
        self.shown.clone()
    }

    fn packs(&self) -> Result<Vec<PackAtPlace>> {
        let tags = self
            .tags("n=1000", &mut |_| true)
            .map_err(|fault| self.refused(fault))?;
        let mut ids: Vec<Digest> = tags.iter().filter_map(|tag| oci::pack_of(tag)).collect();
        ids.sort_unstable();
        ids.dedup();
        Ok(ids
            .into_iter()
            .map(|pack_id| PackAtPlace {
                pack_id,
                names: Vec::new(),
            })
            .collect())
    }

    fn find(&self, which: &Which) -> Result<Option<Box<dyn PublishedPack>>> {
        let found = || -> Result<_, TransportFault> {
            let document = match which {
                Which::Id(id) => self.document(&oci::tag_of(id), MAX_IMAGE)?,
                Which::Tag(tag) => self.document(tag, MAX_IMAGE)?,
                Which::Manifest(digest) => self.document_of(digest, MAX_IMAGE)?,
            };
            let Some(document) = document else { return Ok(None) };
            let subject = Digest::of(&document);
            let mut files = self.files(&document)?;
            let manifest = files.remove(MANIFEST);
            let malformed = |said: &str| TransportFault::Malformed {
                what: "the image manifest",
                said: said.into(),
            };
            let (digest, size) = manifest.ok_or_else(|| malformed("no layer has the title manifest.json"))?;
            if size > MAX_BYTES {
                return Err(TransportFault::TooLong { allowed: MAX_BYTES });
            }
            let mut manifest = Vec::new();
            let mut blob = self.blob(&digest, size)?;
            let fault = blob.fault();
            blob.read_to_end(&mut manifest).map_err(|e| {
                fault
                    .get()
                    .unwrap_or(TransportFault::Connection { said: e.to_string() })
            })?;
            if Digest::of(&manifest) != digest {
                return Err(TransportFault::WrongContent {
                    wanted: digest.to_string(),
                });
            }
            Ok(Some((manifest, files, subject)))
        };
        let found = found().map_err(|fault| self.refused(fault))?;
        Ok(found.map(|(manifest, files, subject)| {
            let listed = files
                .iter()
                .map(|(path, (_, size))| (path.clone(), Some(*size)))
                .collect();
            let name = which.at(&self.shown);
            let registry = self.clone();
            Box::new(RegistryPack {
                registry,
                name,
                subject,
                manifest,
                files,
                listed,
            }) as Box<dyn PublishedPack>
        }))
    }

    fn has_pack(&self, pack: &Outgoing<'_>) -> Result<bool> {
        let Some(last) = Self::documents_of(pack).pop() else {
            return Ok(false);
        };
        let has = |tag: &str| -> Result<bool, TransportFault> {
            Ok(self.document(tag, MAX_IMAGE)?.is_some_and(|found| found == last.bytes))
        };
        let has = has(&oci::tag_of(&pack.pack_id)).and_then(|there| match &pack.tag {
            Some(tag) if there => has(tag),
            _ => Ok(there),
        });
        has.map_err(|fault| self.refused(fault))
    }

    fn send(&self, member: &OutgoingMember, pack: &Outgoing<'_>, told: &dyn Progress) -> Result<()> {
        upload::upload(self, member, pack, told)
    }

    fn announce(&self, pack: &Outgoing<'_>) -> Result<()> {
        let announce = || -> Result<(), TransportFault> {
            if self.size_of(&Digest::of(oci::EMPTY), RegistryAccess::Push)?.is_none() {
                self.put_small(oci::EMPTY)?;
            }
            let documents = Self::documents_of(pack);
            let Some((last, parts)) = documents.split_last() else {
                return Ok(());
            };
            for part in parts {
                self.store_document(part, &part.digest().to_string())?;
            }
            self.store_document(last, &oci::tag_of(&pack.pack_id))?;
            match &pack.tag {
                Some(tag) => self.store_document(last, tag).map(drop),
                None => Ok(()),
            }
        };
        announce().map_err(|fault| self.refused(fault))
    }

    fn attach(&self, pack: &Outgoing<'_>, files: &[Attachment]) -> Result<Option<u64>> {
        let Some(subject) = Self::documents_of(pack).pop() else {
            return Ok(None);
        };
        let sent = self.attach_to(&subject, files);
        sent.map(Some).map_err(|fault| self.refused(fault))
    }
}
