//! The one error type of this crate. A message never shows a credential or the query of a URL.

use std::io;

use zoea_model::{Digest, Platform};

use crate::document::Document;

/// Why an image could not be read, made or stored. [`ImageError::hint`] has advice.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// A directory of blobs or of names cannot be opened or made.
    #[error("Failed to open {name}")]
    OpenDirectory {
        /// What the directory is.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A stored blob cannot be opened.
    #[error("Failed to open blob `{digest}`")]
    OpenBlob {
        /// The blob.
        digest: Digest,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A blob cannot be written.
    #[error("Failed to write a blob")]
    WriteBlob {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A written blob cannot be put under its name or made durable.
    #[error("Failed to publish blob `{digest}`")]
    PublishBlob {
        /// The blob.
        digest: Digest,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A small file cannot be read.
    #[error("Failed to read `{path}` of {origin}")]
    ReadFile {
        /// Its name.
        path: String,
        /// What it belongs to.
        origin: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A small file cannot be written.
    #[error("Failed to write `{path}` of {origin}")]
    WriteFile {
        /// Its name.
        path: String,
        /// What it belongs to.
        origin: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A blob is not where its image says.
    #[error("Failed to find blob `{digest}` in {origin}")]
    MissingBlob {
        /// The blob.
        digest: Digest,
        /// Where it should be.
        origin: String,
    },
    /// Reading a blob broke off.
    #[error("Failed to read blob `{digest}` from {origin}")]
    ReadBlob {
        /// The blob.
        digest: Digest,
        /// Where it comes from.
        origin: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A blob ends before the size that its descriptor says.
    #[error("Failed to read blob `{digest}` from {origin}: truncated after {actual} of {expected} bytes")]
    TruncatedBlob {
        /// The blob.
        digest: Digest,
        /// Where it comes from.
        origin: String,
        /// The size that the descriptor says.
        expected: u64,
        /// How many bytes came.
        actual: u64,
    },
    /// A blob has other bytes than its descriptor says.
    #[error("Failed to verify blob `{digest}` from {origin}")]
    DamagedBlob {
        /// The blob.
        digest: Digest,
        /// Where it comes from.
        origin: String,
        /// What differs.
        #[source]
        source: io::Error,
    },
    /// A document has another digest than asked for.
    #[error("Failed to verify the {document} of {origin}: expected `{expected}`, got `{actual}`")]
    DocumentDigest {
        /// Which document.
        document: Document,
        /// Where it comes from.
        origin: String,
        /// The digest asked for.
        expected: Digest,
        /// The digest of what came.
        actual: Digest,
    },
    /// A document is larger than any honest one.
    #[error("Failed to read the {document} of {origin}: it is larger than {limit} bytes")]
    OversizedDocument {
        /// Which document.
        document: Document,
        /// Where it comes from.
        origin: String,
        /// The limit.
        limit: u64,
    },
    /// A document is no JSON of the expected form.
    #[error("Failed to parse the {document} of {origin}")]
    MalformedDocument {
        /// Which document.
        document: Document,
        /// Where it comes from.
        origin: String,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// A document contradicts itself or its specification.
    #[error("Failed to accept the {document} of {origin}: {reason}")]
    InvalidDocument {
        /// Which document.
        document: Document,
        /// Where it comes from.
        origin: String,
        /// What is wrong.
        reason: String,
    },
    /// A document cannot be written as JSON.
    #[error("Failed to write the {document}")]
    WriteDocument {
        /// Which document.
        document: Document,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A media type is none that this version reads.
    #[error("Failed to use {origin}: media type `{media_type}` is not built by this version")]
    UnsupportedMediaType {
        /// What has it.
        origin: String,
        /// The media type.
        media_type: String,
    },
    /// A descriptor names a digest of another algorithm than SHA-256.
    #[error("Failed to use {origin}: digest `{digest}` is not built by this version")]
    UnsupportedDigest {
        /// What has it.
        origin: String,
        /// The digest as written.
        digest: String,
    },
    /// An index has no image for the wanted platform.
    #[error("Failed to find an image for `{wanted}` in {origin}: offered {}", list(.offered))]
    NoMatchingPlatform {
        /// The index.
        origin: String,
        /// The wanted platform.
        wanted: Platform,
        /// The platforms of the index.
        offered: Vec<String>,
    },
    /// No image has the wanted name.
    #[error("Failed to find `{name}` in {origin}: offered {}", list(.offered))]
    UnknownName {
        /// Where.
        origin: String,
        /// The wanted name.
        name: String,
        /// The names there.
        offered: Vec<String>,
    },
    /// There are several images and no name was given.
    #[error("Failed to choose an image in {origin}: it has several: {}", list(.offered))]
    AmbiguousName {
        /// Where.
        origin: String,
        /// The names there.
        offered: Vec<String>,
    },
    /// The history's rows do not fit the layers.
    #[error("Failed to compose an image: {rows} history rows with a layer for {layers} new layers")]
    HistoryCount {
        /// Rows with a layer.
        rows: usize,
        /// New layers.
        layers: usize,
    },
    /// An archive cannot be read.
    #[error("Failed to read {origin}")]
    ReadArchive {
        /// The archive.
        origin: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// An archive is malformed or holds no image.
    #[error("Failed to read {origin}: {reason}")]
    InvalidArchive {
        /// The archive.
        origin: String,
        /// What is wrong.
        reason: String,
    },
    /// An archive cannot be written.
    #[error("Failed to write an image archive")]
    WriteArchive {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A Docker configuration file with credentials is malformed. Its content is not shown.
    #[error("Failed to parse the registry credentials in {origin}, line {line}, column {column}")]
    MalformedCredentials {
        /// Where it comes from.
        origin: String,
        /// The line of the fault.
        line: usize,
        /// The column of the fault.
        column: usize,
    },
    /// The entry of one registry in a Docker configuration file is malformed. Its content is not shown.
    #[error("Failed to read the credentials of `{registry}`: `auth` is no base64 of `user:password`")]
    InvalidCredential {
        /// The registry.
        registry: String,
    },
    /// A registry needs credentials that only a helper program has.
    #[error("Failed to authenticate at `{registry}`: {method} is not built by this version")]
    UnsupportedCredential {
        /// The registry.
        registry: String,
        /// What holds the credentials.
        method: String,
    },
    /// The HTTP client cannot be made.
    #[error(transparent)]
    SetUpHttp {
        /// Why.
        source: zoea_http::HttpError,
    },
    /// No connection to the registry.
    #[error("Failed to reach registry `{registry}`")]
    Unreachable {
        /// Its host.
        registry: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// A request broke off, also when tried again.
    #[error("Failed to {request} at registry `{registry}`")]
    Transfer {
        /// Its host.
        registry: String,
        /// What was asked.
        request: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// A registry stopped to answer, also when tried again.
    #[error("Failed to {request} at registry `{registry}`: no progress for {seconds} seconds")]
    Stalled {
        /// Its host.
        registry: String,
        /// What was asked.
        request: String,
        /// How long zoea waited.
        seconds: u64,
    },
    /// The registry does not have the image.
    #[error("Failed to find image `{reference}`")]
    NotFound {
        /// The reference.
        reference: String,
    },
    /// The registry wants other credentials.
    #[error("Failed to {request} at registry `{registry}`: not authorized ({answer})")]
    Unauthorized {
        /// Its host.
        registry: String,
        /// What was asked.
        request: String,
        /// What the registry says.
        answer: String,
    },
    /// The registry refuses.
    #[error("Failed to {request} at registry `{registry}`: status {status}: {answer}")]
    Refused {
        /// Its host.
        registry: String,
        /// What was asked.
        request: String,
        /// The HTTP status.
        status: u16,
        /// What the registry says.
        answer: String,
    },
    /// The registry's answer breaks the protocol.
    #[error("Failed to {request} at registry `{registry}`: {reason}")]
    Protocol {
        /// Its host.
        registry: String,
        /// What was asked.
        request: String,
        /// What is wrong.
        reason: String,
    },
    /// A push names a digest that the image does not have.
    #[error("Failed to push to `{reference}`: the image's digest is `{actual}`")]
    PushDigest {
        /// The reference.
        reference: String,
        /// The image's digest.
        actual: Digest,
    },
    /// An archive for `docker load` holds one image for each name.
    #[error("Failed to write an archive for `docker load`: it cannot hold images for several platforms")]
    IndexInDockerArchive,
    /// An upload ended in a panic or was cancelled: a fault of zoea.
    #[error("Failed to finish an upload")]
    UploadTask {
        /// Why.
        #[source]
        source: tokio::task::JoinError,
    },
    /// The system gives no random bytes for the name of a temporary file.
    #[error("Failed to name a temporary file")]
    RandomName {
        /// Why.
        #[source]
        source: getrandom::Error,
    },
}

impl ImageError {
    /// Returns the image error inside an I/O error that a layer's reader gave, if there is one.
    pub fn within(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// Wraps the error for a reader. The kind of the cause is kept.
    pub(crate) fn into_io(self) -> io::Error {
        let kind = if matches!(self, Self::TruncatedBlob { .. }) {
            io::ErrorKind::UnexpectedEof
        } else if matches!(self, Self::MissingBlob { .. }) {
            io::ErrorKind::NotFound
        } else {
            crate::hint::io_kind(&self).unwrap_or(io::ErrorKind::Other)
        };
        io::Error::new(kind, self)
    }
}

/// Joins names for a message.
fn list(names: &[String]) -> String {
    match names {
        [] => "nothing".to_owned(),
        names => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    }
}
