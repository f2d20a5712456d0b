//! Packs in a data fabric: one document for each pack, sent and fetched whole as a stream.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

use url::Url;

use crate::adapters::git::credential::{self, Reception};
use crate::adapters::network::http::{Call, Credential, Http, HttpAnswer, Method, Payload};
use crate::adapters::network::patience::Patience;
use crate::adapters::network::redirect;
use crate::adapters::network::resume::{LastFault, Resuming};
use crate::adapters::network::retry::{Failure, repeat};
use crate::adapters::place::fabric_body::{Body, members};
use crate::adapters::place::{Outgoing, PackAtPlace, PackPlace, Progress, Sent};
use crate::adapters::published::{PublishedPack, TakeEachMember, TakeMember, not_listed};
use crate::adapters::store::{Store, Take};
use crate::format::destination::Which;
use crate::format::digest::Digest;
use crate::format::fabric::{self, DocumentFault, FabricReader};
use crate::format::manifest::{MAX_BYTES, ManifestDocument};
use crate::refusal::transport::TransportFault;
use crate::refusal::{Refusal, Result, io_reason};

/// How many bytes the first answer may bring in the time that is waited. A longer document goes on in another one.
const FIRST: u64 = 1 << 20;

/// Largest part of a member that is kept in memory, in bytes. A larger one is kept in a file without a name.
const MAX_HELD: usize = 8 << 20;

/// Where logins are, for messages.
const LOGINS: &str = "git credential";

/// A data fabric.
#[derive(Clone)]
pub struct Fabric {
    http: Arc<Http>,
    base: Url,
    shown: String,
    login: Arc<Mutex<Option<Arc<Credential>>>>,
}

impl Fabric {
    /// Returns the fabric at a base URL, which does not end with `/`. Nothing is sent yet.
    pub fn of(base: &str, insecure: bool) -> Result<Self> {
        let refused = |fault| Refusal::Transport {
            place: base.to_owned(),
            fault,
        };
        let url: Url = format!("{base}/").parse().map_err(|_| {
            refused(TransportFault::Malformed {
                what: "the address",
                said: "it is not a URL".into(),
            })
        })?;
        let http = Http::of(&url, insecure, Patience::default()).map_err(refused)?;
        Ok(Self {
            http: Arc::new(http),
            base: url,
            shown: base.to_owned(),
            login: Arc::default(),
        })
    }

    fn refused(&self, fault: TransportFault) -> Refusal {
        Refusal::Transport {
            place: self.shown.clone(),
            fault,
        }
    }

    fn url(&self, id: &Digest) -> Url {
        let below = format!("./packs/{id}");
        self.base.join(&below).expect("an id is a part of a path")
    }

    /// Calls `send` with the login that is known, and once more after a challenge.
    fn authorized(
        &self,
        mut send: impl FnMut(Option<&Credential>) -> Result<HttpAnswer, TransportFault>,
    ) -> Result<HttpAnswer, TransportFault> {
        let known = self.login.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let answer = send(known.as_deref())?;
        if answer.status != 401 || known.is_some() {
            return Ok(answer);
        }
        let unauthorized = |found| TransportFault::Unauthorized {
            sought: LOGINS.into(),
            found,
        };
        // Another host that was redirected to has no business with the login of this one.
        if answer.url.origin() != self.base.origin() {
            return Ok(answer);
        }
        let host = self.base.host_str().unwrap_or_default();
        let host = self
            .base
            .port()
            .map_or(host.to_owned(), |port| format!("{host}:{port}"));
        let login = credential::fill(self.base.scheme(), &host, self.base.path())?;
        let login = login.ok_or_else(|| unauthorized(false))?;
        let credential = Arc::new(Credential::basic(&login.user, &login.password, &self.base));
        let answer = send(Some(&credential))?;
        if answer.status == 401 {
            credential::tell(&login, Reception::Refused);
            return Err(unauthorized(true));
        }
        credential::tell(&login, Reception::Accepted);
        *self.login.lock().unwrap_or_else(PoisonError::into_inner) = Some(credential);
        Ok(answer)
    }

    fn ask(&self, call: &Call<'_>) -> Result<HttpAnswer, TransportFault> {
        self.authorized(|credential| {
            self.http.ask(
                &Call {
                    credential,
                    method: call.method.clone(),
                    ..*call
                },
                b"",
            )
        })
    }

    /// Returns whether the fabric hands out the manifest of a pack under the id of the pack.
    fn shows(&self, pack: &Outgoing<'_>) -> Result<bool> {
        match self.document(&pack.pack_id) {
            Ok(document) => Ok(document.is_some_and(|document| document.reader.manifest_bytes() == pack.manifest)),
            Err(TransportFault::Malformed { .. } | TransportFault::TooLong { .. }) => Ok(false),
            Err(fault) => Err(self.refused(fault)),
        }
    }

    /// Opens the document of a pack. `None` if there is none.
    fn document(&self, id: &Digest) -> Result<Option<Document>, TransportFault> {
        let url = self.url(id);
        let answer = self.ask(&Call {
            bytes: FIRST,
            ..Call::new(Method::GET, &url, None)
        })?;
        match answer.status {
            200 => {}
            404 | 410 => return Ok(None),
            _ => return Err(answer.fault()),
        }
        let malformed = |said: &str| malformed(said.to_owned());
        if answer.header("content-encoding").is_some_and(|how| how != "identity") {
            return Err(malformed("it is compressed, which was not asked for"));
        }
        // What has no announced size could go on without an end.
        let size = answer.size().ok_or_else(|| malformed("it has no Content-Length"))?;
        let fabric = self.clone();
        let open = move |at: u64| {
            let range = format!("bytes={at}-");
            fabric.ask(&Call {
                headers: &[("range", &range)],
                bytes: size,
                ..Call::new(Method::GET, &url, None)
            })
        };
        let source = Resuming::opened(size, answer, Box::new(open));
        let fault = source.fault();
        let read = FabricReader::begin(source, MAX_BYTES);
        let reader = read.map_err(|said| Document::fault(&fault, said))?;
        Ok(Some(Document { reader, fault }))
    }

    fn put(&self, pack: &Outgoing<'_>, size: u64, told: &dyn Progress) -> Result<()> {
        let url = self.url(&pack.pack_id);
        let mut failed = None;
        let sent = repeat(|| {
            let answer = self.authorized(|credential| {
                let mut body = Body::of(pack, told);
                let call = Call {
                    headers: &[("content-type", "application/json")],
                    bytes: size,
                    ..Call::new(Method::PUT, &url, credential)
                };
                let answer = self.http.once(&call, Payload::Stream(&mut body, size));
                failed = body.failed.take();
                answer
            });
            if failed.is_some() {
                return Ok(());
            }
            let answer = answer?;
            match answer.status {
                200..=299 => Ok(()),
                300..=399 => {
                    let to = answer.header("location").unwrap_or_default();
                    Err(Failure::last(redirect::unfollowed(to)))
                }
                409 => Err(Failure::last(TransportFault::Conflict {
                    name: pack.pack_id.to_string(),
                })),
                _ => Err(answer.failure()),
            }
        });
        match failed {
            Some(refused) => Err(refused),
            None => sent.map_err(|fault| self.refused(fault)),
        }
    }
}

fn malformed(said: String) -> TransportFault {
    TransportFault::Malformed {
        what: "the document of the pack",
        said,
    }
}

impl Store for Fabric {
    fn name(&self) -> &'static str {
        "the data fabric"
    }

    /// A fabric knows packs, and no content of its own.
    fn contains(&self, _: &Digest) -> Result<bool> {
        Ok(false)
    }

    fn get(&self, _: &Digest, _: Take<'_>) -> Result<bool> {
        Ok(false)
    }
}

impl PackPlace for Fabric {
    fn shown(&self) -> String {
        self.shown.clone()
    }

    fn packs(&self) -> Result<Vec<PackAtPlace>> {
        Err(self.refused(TransportFault::Impossible {
            what: "a data fabric does not list its packs",
        }))
    }

    fn find(&self, which: &Which) -> Result<Option<Box<dyn PublishedPack>>> {
        let Which::Id(id) = which else {
            return Err(self.refused(TransportFault::Impossible {
                what: "a data fabric knows a pack only by its id",
            }));
        };
        let Some(document) = self.document(id).map_err(|fault| self.refused(fault))? else {
            return Ok(None);
        };
        FabricPack::of(self.clone(), *id, document).map(|pack| Some(Box::new(pack) as Box<dyn PublishedPack>))
    }

    fn has_pack(&self, pack: &Outgoing<'_>) -> Result<bool> {
        let url = self.url(&pack.pack_id);
        let answer = self.ask(&Call::new(Method::HEAD, &url, None));
        let answer = answer.map_err(|fault| self.refused(fault))?;
        match answer.status {
            // Any page of any server can be there.
            200 | 204 => self.shows(pack),
            // A server may not know the method. Sending the pack again does no harm.
            404 | 405 | 410 | 501 => Ok(false),
            _ => Err(self.refused(answer.fault())),
        }
    }

    fn announce(&self, _: &Outgoing<'_>) -> Result<()> {
        Ok(())
    }

    fn publish(&self, pack: &Outgoing<'_>, told: &dyn Progress) -> Result<Sent> {
        if fabric::canonical(pack.manifest).ok().as_deref() != Some(pack.manifest) {
            return Err(self.refused(TransportFault::NotCanonical));
        }
        if self.has_pack(pack)? {
            return Ok(Sent::default());
        }
        let bytes: u64 = members(pack).map(|member| member.size).sum();
        told.begin("sending", bytes);
        self.put(pack, Body::size(pack), told)?;
        told.end();
        if !self.shows(pack)? {
            return Err(self.refused(TransportFault::WrongContent {
                wanted: format!("the pack {}, although it took it", pack.pack_id),
            }));
        }
        Ok(Sent {
            contents: members(pack).count() as u64,
            bytes,
        })
    }
}

/// A document that is being read.
struct Document {
    reader: FabricReader<Resuming<'static>>,
    fault: LastFault,
}

impl Document {
    /// Returns why it could not be read: its connection broke, or it is wrong.
    fn fault(last: &LastFault, said: DocumentFault) -> TransportFault {
        last.get().unwrap_or_else(|| match said {
            DocumentFault::Read(said) => malformed(said),
            DocumentFault::Keep(e) => malformed(io_reason(&e)),
        })
    }
}

/// A pack in a data fabric.
struct FabricPack {
    fabric: Fabric,
    id: Digest,
    name: String,
    manifest: Vec<u8>,
    declared: BTreeMap<String, Digest>,
    listed: BTreeMap<String, Option<u64>>,
    /// The document after its manifest, for the first one who reads members.
    begun: Mutex<Option<Document>>,
}

impl FabricPack {
    fn of(fabric: Fabric, id: Digest, document: Document) -> Result<Self> {
        let name = format!("{}#{id}", fabric.shown);
        let manifest = document.reader.manifest_bytes().to_vec();
        let parsed = ManifestDocument::parse(&manifest).map_err(|why| fabric.refused(malformed(why.to_string())))?;
        // The document holds what its manifest declares. That is known only at its end.
        let declared: BTreeMap<String, Digest> = parsed
            .members
            .iter()
            .filter_map(|member| Some((member.path.to_owned(), member.bytes_hash.digest()?)))
            .collect();
        let listed = declared.keys().map(|path| (path.clone(), None)).collect();
        Ok(Self {
            fabric,
            id,
            name,
            manifest,
            declared,
            listed,
            begun: Mutex::new(Some(document)),
        })
    }

    fn wrong(&self, wanted: String) -> Refusal {
        self.fabric.refused(TransportFault::WrongContent { wanted })
    }

    /// Returns the document, right after its manifest.
    fn at_members(&self) -> Result<Document> {
        let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(document) = begun {
            return Ok(document);
        }
        let again = self
            .fabric
            .document(&self.id)
            .map_err(|fault| self.fabric.refused(fault))?;
        match again {
            Some(document) if document.reader.manifest_bytes() == self.manifest => Ok(document),
            _ => Err(self.wrong(format!("the manifest of {}", self.id))),
        }
    }

    /// Passes members to `take` until it returns false.
    fn walk(&self, take: &mut dyn FnMut(&str, &mut dyn Read, u64) -> Result<bool>) -> Result<()> {
        let mut document = self.at_members()?;
        let mut seen = BTreeSet::new();
        loop {
            let mut kept = tempfile::spooled_tempfile(MAX_HELD);
            let member = document.reader.next(&mut kept).map_err(|said| match said {
                DocumentFault::Keep(e) => Refusal::io("writing", "a temporary file".as_ref())(e),
                said => self.fabric.refused(Document::fault(&document.fault, said)),
            })?;
            let Some(member) = member else { break };
            match self.declared.get(&member.path) {
                Some(hash) if *hash == member.hash => {}
                _ => return Err(self.wrong(format!("the members of {}", self.id))),
            }
            if !seen.insert(member.path.clone()) {
                return Err(self
                    .fabric
                    .refused(malformed(format!("it has {:?} twice", member.path))));
            }
            let size = kept.stream_position().and_then(|size| {
                kept.seek(SeekFrom::Start(0))?;
                Ok(size)
            });
            let size = size.map_err(Refusal::io("reading", "a temporary file".as_ref()))?;
            if !take(&member.path, &mut kept, size)? {
                return Ok(());
            }
        }
        if document.reader.pack_id() != Some(self.id.to_string().as_str()) {
            return Err(self.wrong(self.id.to_string()));
        }
        let read = document.reader.finish();
        read.map_err(|said| self.fabric.refused(Document::fault(&document.fault, said)))?;
        match self.declared.keys().find(|path| !seen.contains(path.as_str())) {
            Some(path) => Err(not_listed(self, path)),
            None => Ok(()),
        }
    }
}

impl PublishedPack for FabricPack {
    fn name(&self) -> &str {
        &self.name
    }

    fn manifest(&self) -> &[u8] {
        &self.manifest
    }

    fn listed(&self) -> &BTreeMap<String, Option<u64>> {
        &self.listed
    }

    fn member(&self, path: &str, take: TakeMember<'_>) -> Result<()> {
        let mut found = false;
        self.walk(&mut |each, content, size| {
            if each == path {
                found = true;
                take(content, size).map_err(Refusal::io("reading", path.as_ref()))?;
            }
            Ok(!found)
        })?;
        match found {
            true => Ok(()),
            false => Err(not_listed(self, path)),
        }
    }

    fn each_member(&self, paths: &[&str], take: TakeEachMember<'_>) -> Result<BTreeMap<String, String>> {
        let wanted: BTreeSet<&str> = paths.iter().copied().collect();
        let mut failed = BTreeMap::new();
        self.walk(&mut |path, content, size| {
            if wanted.contains(path)
                && let Err(e) = take(path, content, size)
            {
                failed.insert(path.to_owned(), io_reason(&e));
            }
            Ok(true)
        })?;
        Ok(failed)
    }
}
