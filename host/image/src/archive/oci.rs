//! An OCI layout in an archive as a source.

use std::io::Read;
use std::sync::Arc;

use zoea_model::oci::Descriptor;
use zoea_model::{ImageRef, Platform};

use super::container::Container;
use crate::blobs::BLOBS;
use crate::document::{Document, Manifest, digest_of};
use crate::layout_index::{LayoutIndex, Wanted};
use crate::named_images::{INDEX, MARK, check_mark};
use crate::resolve::{Documents, resolve};
use crate::{BlobSource, Image, ImageError};

/// An archive with `oci-layout`.
#[derive(Debug, Clone)]
pub(crate) struct OciArchive(Arc<Container>);

impl OciArchive {
    pub(crate) fn open(container: Arc<Container>) -> Result<Self, ImageError> {
        check_mark(&container.document(Document::LayoutMark, MARK)?, container.origin())?;
        Ok(Self(container))
    }

    pub(crate) fn image(&self, name: Option<&str>, platform: &Platform) -> Result<Image, ImageError> {
        let wanted = name.map_or(Wanted::Only, Wanted::Named);
        let index = self.index()?.find(wanted, self.0.origin())?;
        resolve(Manifest::Index(Box::new(index)), platform, self)
    }

    pub(crate) fn names(&self) -> Result<Vec<String>, ImageError> {
        Ok(self.index()?.names())
    }

    fn index(&self) -> Result<LayoutIndex, ImageError> {
        LayoutIndex::parse(&self.0.document(Document::LayoutIndex, INDEX)?, self.0.origin())
    }
}

impl Documents for OciArchive {
    fn manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>, ImageError> {
        Document::Manifest.read(self.open(descriptor)?, self.0.origin())
    }

    fn blobs(&self) -> Arc<dyn BlobSource> {
        Arc::new(self.clone())
    }
}

impl BlobSource for OciArchive {
    fn open(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, ImageError> {
        let digest = digest_of(descriptor, self.0.origin())?;
        let path = format!("{BLOBS}/{}", digest.hex());
        if !self.0.has(&path) {
            return Err(ImageError::MissingBlob { digest, origin: self.origin() });
        }
        self.0.read(&path)
    }

    fn repository(&self) -> Option<&ImageRef> {
        None
    }

    fn origin(&self) -> String {
        self.0.origin().to_owned()
    }
}
