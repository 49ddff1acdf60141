//! Names that promise a secret.

/// The words that a secret's name has.
const SECRET_WORDS: [&str; 10] =
    ["apikey", "auth", "credential", "credentials", "key", "passwd", "password", "pword", "secret", "token"];

/// The words that say that a name is none of a secret after all.
const HARMLESS_WORDS: [&str; 3] = ["file", "public", "version"];

/// Says whether a variable of that name looks like a secret: by one of its words, which underscores part.
pub(crate) fn names_secret(name: &str) -> bool {
    let has =
        |words: &[&str]| name.split('_').any(|part| words.iter().any(|word| word.eq_ignore_ascii_case(part)));
    has(&SECRET_WORDS) && !has(&HARMLESS_WORDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_told_by_whole_words() {
        for name in ["password", "API_KEY", "super_duper_Secret_token", "git_key", "AUTH", "apikey"] {
            assert!(names_secret(name), "{name}");
        }
        for name in ["", "keyboard", "PUBLIC_KEY", "password_file", "TOKEN_VERSION", "sunflower", "secret-1"]
        {
            assert!(!names_secret(name), "{name}");
        }
    }
}
