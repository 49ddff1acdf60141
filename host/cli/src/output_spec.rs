//! The value of `--output`: `type=oci,dest=image.tar`.

use std::path::PathBuf;

use zoea::PlatformSplit;

use crate::error::CliError;

/// Where a file goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Destination {
    /// `-`.
    Stdout,
    /// A path.
    File(PathBuf),
}

/// One output, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OutputSpec {
    /// `type=oci,dest=FILE`.
    OciArchive(Destination),
    /// `type=oci,tar=false,dest=DIR`.
    OciLayout(PathBuf),
    /// `type=docker,dest=FILE`.
    DockerArchive(Destination),
    /// `type=tar,dest=FILE[,platform-split=true]`.
    Tar(Destination, PlatformSplit),
    /// `type=local,dest=DIR[,platform-split=true]`.
    Local(PathBuf, PlatformSplit),
    /// `type=image[,push=true][,name=NAME]`.
    Image {
        /// Push it, rather than keep it in the state directory.
        push: bool,
        /// More names.
        names: Vec<String>,
    },
}

impl OutputSpec {
    /// Reads one `--output`. As with Docker, a bare path means `type=local,dest=PATH`, and `-` a tar archive of
    /// the files on standard output.
    pub(crate) fn parse(text: &str) -> Result<Self, CliError> {
        if text == "-" {
            return Ok(Self::Tar(Destination::Stdout, PlatformSplit::OfIndex));
        }
        if !text.contains('=') {
            return Ok(Self::Local(PathBuf::from(text), PlatformSplit::OfIndex));
        }
        Fields::parse(text)?.into_spec()
    }
}

/// The fields of one `--output`.
struct Fields<'a> {
    text: &'a str,
    kind: Option<&'a str>,
    destination: Option<&'a str>,
    tar: bool,
    push: bool,
    names: Vec<String>,
    split: PlatformSplit,
}

impl<'a> Fields<'a> {
    fn parse(text: &'a str) -> Result<Self, CliError> {
        let mut fields = Self {
            text,
            kind: None,
            destination: None,
            tar: true,
            push: false,
            names: Vec::new(),
            split: PlatformSplit::OfIndex,
        };
        for field in text.split(',') {
            let Some((key, value)) = field.split_once('=') else {
                return Err(fields.invalid(format!("`{field}` is no `key=value`")));
            };
            match key {
                "type" => fields.kind = Some(value),
                "dest" => fields.destination = Some(value),
                "tar" => fields.tar = fields.switch(value)?,
                "push" => fields.push = fields.switch(value)?,
                "platform-split" if fields.switch(value)? => fields.split = PlatformSplit::Always,
                "platform-split" => fields.split = PlatformSplit::Never,
                "name" => fields.names.push(value.to_owned()),
                _ => {
                    return Err(fields.invalid(format!(
                        "unknown key `{key}`; known are `type`, `dest`, `tar`, `push`, `name` and `platform-split`"
                    )));
                }
            }
        }
        Ok(fields)
    }

    fn into_spec(self) -> Result<OutputSpec, CliError> {
        let kind = self.kind.ok_or_else(|| self.invalid("`type` is missing".to_owned()))?;
        if !["oci", "docker", "local", "tar", "image"].contains(&kind) {
            return Err(self.invalid(format!(
                "unknown type `{kind}`; known are `oci`, `docker`, `local`, `tar` and `image`"
            )));
        }
        if kind != "image" && (self.push || !self.names.is_empty()) {
            return Err(self.invalid("`push` and `name` go with `type=image` only".to_owned()));
        }
        if !["local", "tar"].contains(&kind) && self.split != PlatformSplit::OfIndex {
            return Err(
                self.invalid("`platform-split` goes with `type=local` and `type=tar` only".to_owned())
            );
        }
        if kind != "oci" && !self.tar {
            return Err(self.invalid("`tar=false` goes with `type=oci` only".to_owned()));
        }
        match kind {
            "oci" if self.tar => Ok(OutputSpec::OciArchive(self.file()?)),
            "oci" => Ok(OutputSpec::OciLayout(self.directory()?)),
            "docker" => Ok(OutputSpec::DockerArchive(self.file()?)),
            "tar" => Ok(OutputSpec::Tar(self.file()?, self.split)),
            "local" => Ok(OutputSpec::Local(self.directory()?, self.split)),
            "image" if self.destination.is_some() => {
                Err(self.invalid("`type=image` has no `dest`".to_owned()))
            }
            _ => Ok(OutputSpec::Image { push: self.push, names: self.names }),
        }
    }

    fn switch(&self, value: &str) -> Result<bool, CliError> {
        value.parse().map_err(|_| self.invalid(format!("`{value}` is neither `true` nor `false`")))
    }

    fn file(&self) -> Result<Destination, CliError> {
        match self.destination {
            Some("-") => Ok(Destination::Stdout),
            Some(path) if !path.is_empty() => Ok(Destination::File(PathBuf::from(path))),
            Some(_) | None => Err(self.invalid("`dest=FILE` is missing".to_owned())),
        }
    }

    fn directory(&self) -> Result<PathBuf, CliError> {
        match self.destination {
            Some("-") => Err(self.invalid("a directory cannot be written to standard output".to_owned())),
            Some(path) if !path.is_empty() => Ok(PathBuf::from(path)),
            Some(_) | None => Err(self.invalid("`dest=DIR` is missing".to_owned())),
        }
    }

    fn invalid(&self, reason: String) -> CliError {
        CliError::Flag { flag: "--output", value: self.text.to_owned(), reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_read() {
        let file = |path: &str| Destination::File(PathBuf::from(path));
        for (text, expected) in [
            ("type=oci,dest=a.tar", OutputSpec::OciArchive(file("a.tar"))),
            ("type=oci,tar=false,dest=d", OutputSpec::OciLayout(PathBuf::from("d"))),
            ("type=docker,dest=-", OutputSpec::DockerArchive(Destination::Stdout)),
            ("type=tar,dest=a,platform-split=false", OutputSpec::Tar(file("a"), PlatformSplit::Never)),
            (
                "type=local,dest=d,platform-split=true",
                OutputSpec::Local(PathBuf::from("d"), PlatformSplit::Always),
            ),
            ("d", OutputSpec::Local(PathBuf::from("d"), PlatformSplit::OfIndex)),
            ("-", OutputSpec::Tar(Destination::Stdout, PlatformSplit::OfIndex)),
            ("type=image,push=true", OutputSpec::Image { push: true, names: vec![] }),
        ] {
            assert_eq!(OutputSpec::parse(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for text in [
            "type=oci",
            "type=oci,dest=",
            "type=zip,dest=a",
            "dest=a,mode=x",
            "type=local,dest=-",
            "type=local,tar=false,dest=d",
            "type=oci,tar=maybe,dest=d",
            "type=oci,platform-split=true,dest=d",
            "type=local,platform-split=maybe,dest=d",
            "type=tar,push=true,dest=d",
            "type=image,dest=d",
            "type=oci,dest=a,compression=zstd",
            "type=oci,oops",
        ] {
            assert!(OutputSpec::parse(text).is_err(), "{text}");
        }
    }
}
