//! Credentials for the object stores of clouds, from where the tools of each cloud keep them.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::list::PaginatedListStore;
use object_store::{BackoffConfig, ObjectStore, RetryConfig};
use url::Url;

use super::ObjectReach;
use crate::adapters::files;
use crate::format::timestamp::Timestamp;
use crate::refusal::transport::TransportFault;

/// What the environment says about clouds.
#[derive(Clone, Default)]
pub struct CloudSettings {
    /// Variables that the tools of clouds read: their names and values.
    pub variables: Vec<(String, String)>,
    /// The user's home directory.
    pub home: Option<PathBuf>,
    /// Tells the time, for credentials that expire. Without it, they are asked for once.
    pub clock: Option<fn() -> Timestamp>,
}

impl fmt::Debug for CloudSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.variables.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("CloudSettings").field("variables", &names).finish()
    }
}

impl CloudSettings {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.variables.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    pub(super) fn is_set(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|value| matches!(value, "1" | "true" | "True" | "TRUE"))
    }

    /// Returns the variables whose names begin with `prefix` as keys of the library, without those that it does not know.
    pub(super) fn keys<K: FromStr>(&self, prefix: &str) -> impl Iterator<Item = (K, &str)> {
        let ours = self
            .variables
            .iter()
            .filter(move |(name, value)| name.starts_with(prefix) && !value.is_empty());
        ours.filter_map(|(name, value)| Some((name.to_ascii_lowercase().parse().ok()?, value.as_str())))
    }
}

/// What the store of a cloud can do.
pub(super) trait CloudStore: ObjectStore + PaginatedListStore {}

impl<S: ObjectStore + PaginatedListStore> CloudStore for S {}

/// Builds a store, as far as all clouds have it in common. Their builders share no trait.
macro_rules! built {
    ($builder:expr, $reach:expr, $sought:expr, $metadata:expr) => {
        $builder
            .with_retry(crate::adapters::place::objects::credentials::retry())
            .with_client_options(object_store::ClientOptions::new().with_allow_http($reach.insecure))
            .with_http_connector(crate::adapters::place::objects::connector::Connector {
                insecure: $reach.insecure,
                sought: $sought,
                metadata: $metadata,
            })
            .build()
            .map(|store| std::sync::Arc::new(store) as std::sync::Arc<dyn CloudStore>)
    };
}
pub(super) use built;

/// How often the library tries a request, and for how long. git-pack does not try it again on top of that.
pub(super) fn retry() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(200),
            max_backoff: Duration::from_secs(10),
            base: 2.,
        },
        max_retries: 5,
        retry_timeout: Duration::from_secs(180),
    }
}

pub(super) fn unusable(what: &'static str, said: impl Into<String>) -> TransportFault {
    TransportFault::Malformed {
        what,
        said: said.into(),
    }
}

/// Where credentials of Google are looked for.
const GOOGLE: &str = "the environment (GOOGLE_…), the application default credentials and the metadata service";

pub(super) fn google(bucket: &str, reach: &ObjectReach) -> Result<Arc<dyn CloudStore>, TransportFault> {
    let settings = &reach.cloud;
    let mut builder = GoogleCloudStorageBuilder::new();
    if settings.get("GOOGLE_APPLICATION_CREDENTIALS").is_none()
        && let Some(home) = &settings.home
    {
        let path = home.join(".config/gcloud/application_default_credentials.json");
        if let Some(path) = path.to_str().filter(|_| files::exists(&path)) {
            builder = builder.with_config(GoogleConfigKey::ApplicationCredentials, path);
        }
    }
    // The library reads these two variables by itself.
    let metadata = settings.get("GCE_METADATA_HOST").or(settings.get("GCE_METADATA_ROOT"));
    let metadata = metadata.and_then(|host| format!("http://{host}").parse().ok());
    for (key, value) in settings.keys::<GoogleConfigKey>("GOOGLE_") {
        match key {
            GoogleConfigKey::Client(_) | GoogleConfigKey::Bucket => {}
            key => builder = builder.with_config(key, value),
        }
    }
    let builder = builder.with_bucket_name(bucket);
    built!(builder, reach, GOOGLE, metadata).map_err(|_| {
        unusable(
            "the configuration of Google",
            "expected the credentials of a service account or of a user who logged in",
        )
    })
}

/// Where credentials of Azure are looked for.
const AZURE: &str = "the environment (AZURE_…) and the metadata service";

pub(super) fn azure(container: &str, reach: &ObjectReach) -> Result<Arc<dyn CloudStore>, TransportFault> {
    let settings = &reach.cloud;
    let asks_cli = settings.get("AZURE_CREDENTIAL_TYPE") == Some("azure_cli");
    if settings.is_set("AZURE_USE_AZURE_CLI") || asks_cli {
        return Err(TransportFault::Impossible {
            what: "credentials from the Azure command line are not supported",
        });
    }
    let mut builder = MicrosoftAzureBuilder::new();
    // The names that the Azure command line uses.
    for (name, key) in [
        ("AZURE_STORAGE_ACCOUNT", AzureConfigKey::AccountName),
        ("AZURE_STORAGE_KEY", AzureConfigKey::AccessKey),
    ] {
        if let Some(value) = settings.get(name) {
            builder = builder.with_config(key, value);
        }
    }
    // How an app in Azure is told where its identity is.
    let endpoint = settings
        .get("AZURE_IDENTITY_ENDPOINT")
        .or(settings.get("IDENTITY_ENDPOINT"));
    if let Some(endpoint) = endpoint {
        builder = builder.with_config(AzureConfigKey::MsiEndpoint, endpoint);
    }
    let metadata = endpoint.and_then(|endpoint| endpoint.parse::<Url>().ok());
    for (key, value) in settings.keys::<AzureConfigKey>("AZURE_") {
        match key {
            AzureConfigKey::Client(_) | AzureConfigKey::ContainerName => {}
            key => builder = builder.with_config(key, value),
        }
    }
    let builder = builder.with_container_name(container);
    built!(builder, reach, AZURE, metadata).map_err(|_| {
        unusable(
            "the configuration of Azure",
            "expected AZURE_STORAGE_ACCOUNT and a key or token that is valid",
        )
    })
}
