//! zoea for embedders: one request, one result, one stream of events, one error.
//!
//! [`build`] is the whole pipeline. It reads no environment, no working directory and no clock: what it may
//! use comes in [`Authority`], what it should do in [`Request`].
#![forbid(unsafe_code)]

mod annotation;
mod authority;
mod error;
mod export;
mod file_sink;
mod location;
mod pipeline;
mod platforms;
mod question;
mod request;
mod resolve;
mod source_date;

pub use annotation::{Annotation, AnnotationError, AnnotationPlace};
pub use authority::Authority;
pub use error::{Kind, ZoeaError, context_kind};
pub use file_sink::FileSink;
pub use location::{ImageLocation, LocationError};
pub use pipeline::{Report, ReportedImage, build};
pub use platforms::RequestError;
pub use question::{AnswerForm, Answered, Question, Verdict, ask};
pub use request::{DockerfileText, NamedImage, Output, PlatformSplit, PullPolicy, Request};
pub use resolve::ResolveError;

pub use zoea_build::{
    BuildError, Clock, ContextSource, ContextTree, Contexts, GivenContexts, unpack_context,
};
pub use zoea_context::{
    Context, ContextError, FetchError, FetchSettings, Fetched, Fetcher, GitProgram, LARGEST_FILE, Location,
    NoRemotes, Remotes,
};
pub use zoea_dockerfile::{NamedContext, Request as DockerfileRequest};
pub use zoea_http::Proxies;
pub use zoea_image::{
    BlobStore, Credentials, Hosts, ImageError, ImageFormat, ImageStore, Registry, RegistryOptions,
};
pub use zoea_launch::{LaunchError, Refusal, StepSettings, StepStatus, Surroundings, enter, intercept};
pub use zoea_model as model;
pub use zoea_rootfs::{Compression, CopyTree, OverlayMounter, RootfsError, Store, Workspace};
