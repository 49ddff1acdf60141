//! Images in tar archives: OCI layouts and what `docker save` writes, as source and as sink.
//!
//! Knows archives as containers of blobs; what is inside a layer is no concern here.

mod container;
mod docker;
mod headers;
mod oci;
mod region;
mod sink;

use std::sync::Arc;

use cap_std::fs::File;
use zoea_model::{ImageRef, Platform};

use crate::named_images::{INDEX, MARK};
use crate::{Image, ImageError};
use container::Container;

pub use sink::{ArchiveFormat, write_archive};

/// Where `docker save` says what is in its archive.
const DOCKER_INDEX: &str = "manifest.json";

/// An archive with images, whose form is told by its content. Blobs are read from the file when they are opened.
#[derive(Debug, Clone)]
pub struct Archive(Form);

#[derive(Debug, Clone)]
enum Form {
    Oci(oci::OciArchive),
    Docker(docker::DockerArchive),
}

impl Archive {
    /// Opens an archive: plain, or compressed with gzip or zstd. Reads the headers of all its entries once.
    ///
    /// A compressed archive is decompressed from its beginning for every blob that is opened.
    ///
    /// # Errors
    /// When the file is no regular file, no tar archive, or holds no image.
    pub fn open(file: File, name: &str) -> Result<Self, ImageError> {
        let container = Arc::new(Container::open(file.into_std(), format!("archive `{name}`"))?);
        if container.has(MARK) && container.has(INDEX) {
            return oci::OciArchive::open(container).map(Form::Oci).map(Self);
        }
        if container.has(DOCKER_INDEX) {
            return docker::DockerArchive::open(container).map(Form::Docker).map(Self);
        }
        Err(ImageError::InvalidArchive {
            origin: container.origin().to_owned(),
            reason: format!("it has neither `{MARK}` and `{INDEX}` nor `{DOCKER_INDEX}`"),
        })
    }

    /// Returns the image with this tag or whole name for `platform`; without a name, the only image there is.
    ///
    /// # Errors
    /// When there is none, or several, or a document is malformed.
    pub fn image(&self, name: Option<&str>, platform: &Platform) -> Result<Image, ImageError> {
        match &self.0 {
            Form::Oci(archive) => archive.image(name, platform),
            Form::Docker(archive) => archive.image(name),
        }
    }

    /// Returns the names of all images.
    ///
    /// # Errors
    /// When the archive's index cannot be read.
    pub fn names(&self) -> Result<Vec<String>, ImageError> {
        match &self.0 {
            Form::Oci(archive) => archive.names(),
            Form::Docker(archive) => Ok(archive.names()),
        }
    }
}

/// Returns the form in which names are compared.
fn normal(name: &str) -> String {
    name.parse::<ImageRef>().map_or_else(|_| name.to_owned(), |name| name.to_string())
}
