//! Here-documents: what becomes of their text.
//!
//! Owns the names that they may have and the shapes that `RUN` knows.

use zoea_model::InlineFile;

use crate::ast::{Expansion, HereDocument, Run};
use crate::build_arguments::expand_document;
use crate::error::{DockerfileError, Problem};
use crate::heredoc;

use super::Shared;
use super::stage::StageState;

impl StageState {
    /// Returns the file that `COPY` makes of a here-document.
    pub(super) fn document(
        &self,
        shared: &Shared<'_>,
        document: &HereDocument,
    ) -> Result<InlineFile, DockerfileError> {
        let content = match document.expansion {
            Expansion::Variables => {
                let expansion = expand_document(document, &self.scope, shared.budget)?;
                self.check_names(shared, &expansion.names);
                expansion.result
            }
            Expansion::None => {
                shared.budget.spend(document.content.len(), document.span)?;
                document.content.clone()
            }
        };
        Ok(InlineFile { name: file_name(document)?, content: content.into_bytes() })
    }
}

/// What `RUN` runs of a command in shell form.
pub(super) enum Text {
    /// Text for the shell.
    Shell(String),
    /// A file, whose path is the text for the shell.
    Script(InlineFile),
}

/// Puts a command in shell form and its here-documents together.
///
/// A single here-document that is the whole command is what is run. Anything else is the shell's business: it gets
/// the text as it was written.
pub(super) fn text_of(command: &str, run: &Run) -> Result<Text, DockerfileError> {
    match run.documents.as_slice() {
        [document, ..] if matches!(heredoc::mark(command), Ok(Some(_))) => {
            match document.content.starts_with("#!") {
                true => Ok(Text::Script(InlineFile {
                    name: file_name(document)?,
                    content: document.content.clone().into_bytes(),
                })),
                false => Ok(Text::Shell(document.content.clone())),
            }
        }
        documents => {
            let mut text = command.to_owned();
            for HereDocument { written, name, .. } in documents {
                text.push('\n');
                text.push_str(written);
                text.push_str(name);
            }
            Ok(Text::Shell(text))
        }
    }
}

/// Returns the name of a document's file.
fn file_name(document: &HereDocument) -> Result<String, DockerfileError> {
    let name = &document.name;
    if matches!(name.as_str(), "" | "." | "..") || name.contains(['/', '\0']) {
        return Err(Problem::DocumentName { name: name.clone() }.at(document.span));
    }
    Ok(name.clone())
}
