//! What a build should do: a value, checked and complete.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cap_std::fs::Dir;
use zoea_image::ImageFormat;
use zoea_model::{ImageRef, Platform, Timestamp};
use zoea_rootfs::Compression;

use crate::{Annotation, FileSink};

/// A Dockerfile with the name that errors show.
#[derive(Debug, Clone)]
pub struct DockerfileText {
    /// As the user gave it.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Whether images that an earlier build left in the state directory serve as bases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullPolicy {
    /// They do; other images come from their registry.
    PreferStored,
    /// They do not: every image comes from its registry.
    Always,
}

/// An image at some place, usable under a name of its own in FROM and `COPY --from`.
#[derive(Debug)]
pub enum NamedImage {
    /// In a registry.
    Registry(ImageRef),
    /// In an OCI layout directory.
    Layout {
        /// The directory.
        directory: Dir,
        /// Which of its images; needed when there are several.
        tag: Option<String>,
    },
    /// In an archive, whose form is read off its content.
    Archive {
        /// The directory of the file.
        directory: Dir,
        /// The file's name in it.
        name: PathBuf,
    },
}

/// Whether the files of a platform go into a directory of their own, `linux_arm64`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlatformSplit {
    /// Where the result is an index.
    OfIndex,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// One thing to make of the result.
#[derive(Debug)]
pub enum Output {
    /// Push the image under every tag.
    Push,
    /// Keep the image in the state directory under every tag.
    Store,
    /// Write an OCI layout in a tar archive.
    OciArchive(FileSink),
    /// Write an archive that `docker load` takes.
    DockerArchive(FileSink),
    /// Write an OCI layout into a directory.
    OciLayout(Dir),
    /// Write the target's files as a tar archive.
    Tar(FileSink, PlatformSplit),
    /// Write the target's files into a directory.
    Local(Dir, PlatformSplit),
}

impl Output {
    /// Says whether this output reads the target's files rather than its image.
    pub fn reads_files(&self) -> bool {
        matches!(self, Self::Tar(..) | Self::Local(..))
    }

    /// Says whether this output reads every blob of the image, base layers included.
    pub fn reads_blobs(&self) -> bool {
        matches!(self, Self::Store | Self::OciArchive(_) | Self::DockerArchive(_) | Self::OciLayout(_))
    }
}

/// A whole build.
#[derive(Debug)]
pub struct Request {
    /// What to build.
    pub dockerfile: DockerfileText,
    /// What images are built for, in the order in which an index lists them; each once.
    pub platforms: Vec<Platform>,
    /// The values that the Dockerfile sees. Its own platform is replaced by each of `platforms`.
    pub dockerfile_request: zoea_dockerfile::Request,
    /// Images under names of their own.
    pub named_images: BTreeMap<String, NamedImage>,
    /// Whether stored images serve as bases.
    pub pull: PullPolicy,
    /// The image's names.
    pub tags: Vec<ImageRef>,
    /// What to make of the result.
    pub outputs: Vec<Output>,
    /// How new layers are compressed.
    pub compression: Compression,
    /// Media types of the image.
    pub format: ImageFormat,
    /// Annotations; a later one of the same place and key counts.
    pub annotations: Vec<Annotation>,
    /// The date of everything that the build itself dates.
    pub source_date_epoch: Option<Timestamp>,
    /// How many layers are fetched and unpacked at once.
    pub jobs: usize,
}
