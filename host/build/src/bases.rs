//! The trees of images, each unpacked at most once a build and only when a step reads it.

use std::collections::BTreeMap;
use std::io::{self, Read};

use zoea_image::{Image, Layer};
use zoea_model::{Digest, Event, PinnedImage};
use zoea_rootfs::{LayerInput, Tree};

use crate::BuildError;
use crate::capabilities::{BaseBlobs, Capabilities, Options};

/// The images that a build reads.
pub(crate) struct Bases<'a> {
    capabilities: &'a Capabilities<'a>,
    options: &'a Options,
    trees: BTreeMap<Digest, Tree>,
}

impl<'a> Bases<'a> {
    pub(crate) fn new(capabilities: &'a Capabilities<'a>, options: &'a Options) -> Self {
        Self { capabilities, options, trees: BTreeMap::new() }
    }

    /// Returns the image that the plan means.
    pub(crate) fn image(&self, pinned: &PinnedImage) -> Result<&'a Image, BuildError> {
        self.capabilities.images.get(&pinned.digest).ok_or(BuildError::UnknownImage(pinned.digest))
    }

    /// Returns the image's tree; fetches and unpacks the layers that are not in the store yet.
    pub(crate) fn tree(&mut self, pinned: &PinnedImage) -> Result<Tree, BuildError> {
        if let Some(tree) = self.trees.get(&pinned.digest) {
            return Ok(tree.clone());
        }
        let image = self.image(pinned)?;
        let (capabilities, keep) = (self.capabilities, self.options.base_blobs);
        let input = |layer: &'a Layer| LayerInput {
            diff_id: layer.diff_id(),
            open: Box::new(move || open(layer, capabilities, keep)),
        };
        let inputs: Vec<LayerInput<'_>> = image.layers().iter().map(input).collect();
        let tree = capabilities.workspace.import(&inputs, self.options.jobs)?;
        self.trees.insert(pinned.digest, tree.clone());
        Ok(tree)
    }
}

/// Opens a layer's blob for unpacking, checked while it streams.
fn open<'a>(
    layer: &Layer,
    capabilities: &'a Capabilities<'a>,
    keep: BaseBlobs,
) -> io::Result<Box<dyn Read + Send + 'a>> {
    let Capabilities { events, blobs, .. } = *capabilities;
    let digest = layer.digest();
    events.emit(Event::LayerStarted { digest, size: layer.size() });
    let bytes: Box<dyn Read + Send> = match keep {
        BaseBlobs::Stream => layer.open().map_err(io::Error::other)?,
        BaseBlobs::Keep => {
            if !blobs.has(&digest) {
                let bytes = layer.open().map_err(io::Error::other)?;
                blobs.fetch(layer.descriptor(), bytes).map_err(io::Error::other)?;
            }
            Box::new(blobs.open_blob(&digest).map_err(io::Error::other)?.into_std())
        }
    };
    let at_end = Box::new(move || events.emit(Event::LayerFinished { digest }));
    Ok(Box::new(AnnouncedReader { bytes, at_end: Some(at_end) }))
}

/// Passes bytes on and tells when they have ended.
struct AnnouncedReader<'a> {
    bytes: Box<dyn Read + Send>,
    at_end: Option<Box<dyn FnOnce() + Send + 'a>>,
}

impl Read for AnnouncedReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.read(buffer)?;
        if count == 0
            && !buffer.is_empty()
            && let Some(at_end) = self.at_end.take()
        {
            at_end();
        }
        Ok(count)
    }
}
