//! Modes in the symbolic form of `chmod`: `u=rwX,go=rX`.
//!
//! Owns the grammar and its meaning, as BuildKit has them (`dchapes-mode`, after BSD's `setmode`) with no umask.
//! Knows no file. Where that differs from GNU's `chmod`: several copies and permissions may follow one operator, `X`
//! looks at the mode before every clause, `=` takes a directory's set-id bits away unless it copies, but never the
//! sticky bit, which `o` cannot set and `u` and `g` can, and a `t` with nobody before the operator makes that operator
//! one for it alone.

use std::fmt;
use std::iter::Peekable;
use std::str::{Chars, FromStr};

use crate::{ModeTarget, ModelError};

const SET_USER: u32 = 0o4000;
const SET_GROUP: u32 = 0o2000;
const STICKY: u32 = 0o1000;
const USER: u32 = 0o700;
const GROUP: u32 = 0o070;
const OTHERS: u32 = 0o007;
const READ: u32 = 0o444;
const WRITE: u32 = 0o222;
const EXECUTE: u32 = 0o111;
/// What `a` stands for, and what `=` clears if nobody is named.
const ALL: u32 = SET_USER | SET_GROUP | USER | GROUP | OTHERS;

/// A mode in the symbolic form of `chmod`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SymbolicMode {
    text: String,
    changes: Vec<BitChange>,
}

/// One change of a mode's bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BitChange {
    Clear(u32),
    Set(u32),
    /// `X`: sets them for directories and for what had an executable bit.
    SetIfExecutable(u32),
    /// `g=u`: does to the permissions in `to` what `operator` says with those that `from` has.
    Copy {
        from: u32,
        to: u32,
        operator: Operator,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Add,
    Remove,
    Assign,
}

impl SymbolicMode {
    /// Returns the mode of an entry that has `mode`, `0..=0o7777`.
    pub fn apply(&self, mode: u32, kind: ModeTarget) -> u32 {
        let executable = kind == ModeTarget::Directory || mode & EXECUTE != 0;
        self.changes.iter().fold(mode, |mode, change| match change {
            BitChange::Clear(bits) => mode & !bits,
            BitChange::Set(bits) => mode | bits,
            BitChange::SetIfExecutable(bits) if executable => mode | bits,
            BitChange::SetIfExecutable(_) => mode,
            BitChange::Copy { from, to, operator } => {
                let bits = spread(mode & from) & to;
                match operator {
                    Operator::Add => mode | bits,
                    Operator::Remove => mode & !bits,
                    Operator::Assign => mode & !to | bits,
                }
            }
        })
    }
}

/// Gives the permissions of one class to all three.
fn spread(bits: u32) -> u32 {
    [READ, WRITE, EXECUTE].into_iter().filter(|permission| bits & permission != 0).sum()
}

impl FromStr for SymbolicMode {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        let mut changes = Vec::new();
        let mut rest = text.chars().peekable();
        match clauses(&mut rest, &mut changes) {
            Some(()) => Ok(Self { text: text.to_owned(), changes }),
            None => Err(ModelError::SymbolicMode(text.to_owned())),
        }
    }
}

/// Reads clauses up to the end: each names whom it is for, and then one operator with permissions or several.
fn clauses(rest: &mut Peekable<Chars<'_>>, changes: &mut Vec<BitChange>) -> Option<()> {
    loop {
        let who = classes(rest);
        loop {
            let operator = match rest.next()? {
                '+' => Operator::Add,
                '-' => Operator::Remove,
                '=' => Operator::Assign,
                _ => return None,
            };
            Action::new(who, operator).read(rest, changes);
            match rest.peek() {
                None => return Some(()),
                Some(',') => break,
                Some(_) => {}
            }
        }
        rest.next();
    }
}

/// Reads whose bits a clause is about; nothing means everybody's.
fn classes(rest: &mut Peekable<Chars<'_>>) -> u32 {
    let mut who = 0;
    while let Some(class) = rest.peek() {
        who |= match class {
            'u' => SET_USER | USER,
            'g' => SET_GROUP | GROUP,
            'o' => OTHERS,
            'a' => ALL,
            _ => break,
        };
        rest.next();
    }
    who
}

/// One operator while what follows it is read.
struct Action {
    who: u32,
    operator: Operator,
    /// What is still to be done with the operator.
    permissions: u32,
    /// What is still to be done by an `X`.
    if_executable: u32,
    /// Whether the operator is a `=` that still has to clear what was there.
    clears: bool,
}

impl Action {
    fn new(who: u32, operator: Operator) -> Self {
        Self { who, operator, permissions: 0, if_executable: 0, clears: operator == Operator::Assign }
    }

    fn read(mut self, rest: &mut Peekable<Chars<'_>>, changes: &mut Vec<BitChange>) {
        while let Some(permission) = rest.peek().copied() {
            let special = self.who == 0 || self.who & !OTHERS != 0;
            match permission {
                'r' => self.permissions |= READ,
                'w' => self.permissions |= WRITE,
                'x' => self.permissions |= EXECUTE,
                'X' if self.operator == Operator::Remove => self.permissions |= EXECUTE,
                'X' => self.if_executable = EXECUTE,
                's' if special => self.permissions |= SET_USER | SET_GROUP,
                't' if special => {
                    self.who |= STICKY;
                    self.permissions |= STICKY;
                }
                's' | 't' => {}
                'u' | 'g' | 'o' => {
                    // Copying clears too.
                    self.clears = false;
                    self.finish(changes);
                    changes.push(self.copy(permission));
                }
                _ => break,
            }
            rest.next();
        }
        self.finish(changes);
    }

    /// Does what was read.
    fn finish(&mut self, changes: &mut Vec<BitChange>) {
        let bits = self.reach() & self.permissions;
        if self.clears || self.permissions != 0 {
            match self.operator {
                Operator::Add => changes.push(BitChange::Set(bits)),
                Operator::Remove => changes.push(BitChange::Clear(bits)),
                Operator::Assign => {
                    let cleared = if self.who == 0 { ALL } else { self.who };
                    changes.extend([BitChange::Clear(cleared), BitChange::Set(bits)]);
                }
            }
        }
        if self.if_executable != 0 {
            changes.push(BitChange::SetIfExecutable(self.reach() & self.if_executable));
        }
        (self.permissions, self.if_executable) = (0, 0);
    }

    fn copy(&self, class: char) -> BitChange {
        let from = match class {
            'u' => USER,
            'g' => GROUP,
            _ => OTHERS,
        };
        BitChange::Copy { from, to: self.reach() & (USER | GROUP | OTHERS), operator: self.operator }
    }

    /// Which bits may change.
    fn reach(&self) -> u32 {
        match self.who {
            0 => ALL | STICKY,
            who => who,
        }
    }
}

impl fmt::Display for SymbolicMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::*;

    fn apply(text: &str, mode: u32, kind: ModeTarget) -> u32 {
        text.parse::<SymbolicMode>().unwrap().apply(mode, kind)
    }

    /// What GNU's `chmod` makes of `text` for one file or directory of each of `modes`.
    #[expect(clippy::disallowed_methods, reason = "the judge is the system's own program")]
    fn judge(text: &str, modes: &[u32], kind: ModeTarget) -> Vec<u32> {
        let around = tempfile::tempdir().unwrap();
        let names: Vec<PathBuf> = modes.iter().map(|mode| around.path().join(format!("{mode:o}"))).collect();
        for (name, mode) in names.iter().zip(modes) {
            match kind {
                ModeTarget::Directory => std::fs::create_dir(name).unwrap(),
                ModeTarget::File => std::fs::write(name, "").unwrap(),
            }
            std::fs::set_permissions(name, PermissionsExt::from_mode(*mode)).unwrap();
        }
        let mut command = std::process::Command::new("/bin/sh");
        command.args(["-c", "umask 0 && exec chmod -- \"$@\"", "sh", text]).args(&names);
        assert!(command.status().unwrap().success(), "{text}");
        names.iter().map(|name| std::fs::metadata(name).unwrap().permissions().mode() & 0o7777).collect()
    }

    #[test]
    fn agrees_with_the_program_of_the_system() {
        let texts = [
            "u+r",
            "u+w",
            "g+x",
            "o+rwx",
            "a+x",
            "+x",
            "+",
            "u-r",
            "go-w",
            "-x",
            "a-rwx",
            "u=rw",
            "g=",
            "go=",
            "=rw",
            "u=rwX,go=rX",
            "a+X",
            "+X",
            "g-X",
            "a=rX",
            "=X",
            "g=u",
            "go=u",
            "u=g",
            "o+u",
            "g-o",
            "g=u-w",
            "u+s",
            "g+s",
            "ug+s",
            "u-s",
            "o+s",
            "a+s",
            "+s",
            "+t",
            "-t",
            "a+t",
            "ugo=r",
            "u=rwx,go=u-w",
            "uo+w-x",
            "u+r+w",
            "a=r,ug=rw,u+x",
            "u=rwx,g=rx,o=",
            "u=s",
            "g=xs",
            "u+rs-w",
        ];
        let of_files = [0, 0o777, 0o644, 0o755, 0o421, 0o124, 0o600, 0o4755, 0o2710, 0o1644, 0o7777];
        let of_directories = [0o700, 0o777, 0o755, 0o644, 0o421, 0o1777];
        for text in texts {
            for (kind, modes) in
                [(ModeTarget::File, &of_files[..]), (ModeTarget::Directory, &of_directories[..])]
            {
                // What `=` does to the set-id and sticky bits is in the table below.
                let keeps = |mode: &u32| !text.contains('=') || *mode <= 0o777;
                let modes: Vec<u32> = modes.iter().copied().filter(keeps).collect();
                let ours: Vec<u32> = modes.iter().map(|mode| apply(text, *mode, kind)).collect();
                assert_eq!(ours, judge(text, &modes, kind), "{text} {kind:?}");
            }
        }
    }

    #[test]
    fn differs_from_the_program_where_buildkit_does() {
        for (text, kind, before, after) in [
            // Several copies, and permissions beside them; the last `=` clears what came before.
            ("u+go", ModeTarget::File, 0o021, 0o321),
            ("u=gr", ModeTarget::File, 0o010, 0o410),
            ("g=ru", ModeTarget::File, 0o100, 0o110),
            // `X` looks at the mode before the first clause.
            ("a=r,a+X", ModeTarget::File, 0o755, 0o555),
            // A directory loses its set-id bits.
            ("a=rx", ModeTarget::Directory, 0o6755, 0o555),
            ("=rx", ModeTarget::Directory, 0o7755, 0o1555),
            // A `t` for nobody in particular is alone.
            ("+rt", ModeTarget::File, 0, 0o1000),
            ("=t", ModeTarget::File, 0o644, 0o1644),
            ("-uX", ModeTarget::File, 0o755, 0),
            // The sticky bit is nobody's: `u` sets it, `o` does not, and `=` leaves it.
            ("u+t", ModeTarget::File, 0o644, 0o1644),
            ("o+t", ModeTarget::File, 0o644, 0o644),
            ("a=r", ModeTarget::File, 0o7777, 0o1444),
            // Assigned permissions take the set-id bit away, copied ones do not.
            ("g=rx", ModeTarget::File, 0o6777, 0o4757),
            ("g=u", ModeTarget::File, 0o6707, 0o6777),
        ] {
            assert_eq!(apply(text, before, kind), after, "{text} {before:o}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "", ",", "u", "rwx", "q+r", "u+q", "u+r,", ",u+r", "u r", "755", "0+r", "u+r ", "ü+r", "u=g,,o=g",
        ] {
            assert!(text.parse::<SymbolicMode>().is_err(), "{text}");
        }
        assert!("u".parse::<SymbolicMode>().unwrap_err().to_string().contains("`u`"));
    }

    #[test]
    fn is_shown_as_written() {
        assert_eq!("u=rwX,go=rX".parse::<SymbolicMode>().unwrap().to_string(), "u=rwX,go=rX");
    }

    proptest! {
        #[test]
        fn stays_a_mode(text in "[ugoa]{0,2}([+=-][rwxXstugo]{0,3}){1,3}(,[ugoa][+=-][rwx]?){0,2}", mode in 0u32..=0o7777) {
            let symbolic: SymbolicMode = text.parse().unwrap();
            for kind in [ModeTarget::File, ModeTarget::Directory] {
                prop_assert!(symbolic.apply(mode, kind) <= 0o7777);
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,12}") {
            drop(text.parse::<SymbolicMode>());
        }
    }
}
