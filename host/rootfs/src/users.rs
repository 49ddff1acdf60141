//! Names of users and groups, as the tree's own `/etc/passwd` and `/etc/group` have them.
//!
//! Turns `USER` and `--chown` into numbers. Reads the two files through whoever knows the tree and never asks the
//! host. A name that the files do not have is an error, as the Dockerfile reference says. The lines come from an
//! image, so what is malformed is skipped: a broken number never becomes 0, which would be root.

use std::io::{self, BufRead as _, BufReader, Read as _};

use cap_std::fs::File;
use zoea_model::{TreePath, UserSpec};

use crate::{Owner, RootfsError};

/// Ends reading of a hostile file; the largest known real ones, of sites with 100,000 users, have some 10 MB.
const MAX_FILE_BYTES: u64 = 32 << 20;

/// As many groups as a process can be in (`NGROUPS_MAX`).
const MAX_GROUPS: usize = 65_536;

/// As many names as a hint shows.
const MAX_HINTED_NAMES: usize = 12;

/// Whom a process runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// Further groups.
    pub groups: Vec<u32>,
    /// The home directory; `/` where the tree names none.
    pub home: String,
}

/// Opens a file of the tree, following links inside of it; `None` where it is missing.
pub type OpenInTree<'a> = dyn Fn(&TreePath) -> Result<Option<File>, RootfsError> + 'a;

struct User {
    name: String,
    uid: u32,
    gid: u32,
    home: String,
}

struct Group {
    name: String,
    gid: u32,
    members: Vec<String>,
}

/// Resolves `USER` for a process, as runc does.
///
/// A number that no line has is itself the user, with group 0; without a written group the process is also in
/// all groups that list the user's name.
///
/// # Errors
/// Refuses names that the tree does not have and numbers that are no id; reports what stopped reading.
pub fn resolve_user(spec: &UserSpec, open: &OpenInTree<'_>) -> Result<Identity, RootfsError> {
    let number = id(&spec.user);
    let users = users(open)?;
    let matches = |user: &&User| user.name == spec.user || number == Some(user.uid);
    let user = users.iter().find(matches);
    let (uid, gid) = match (user, number) {
        (Some(user), _) => (user.uid, user.gid),
        (None, Some(number)) => (number, 0),
        (None, None) => return Err(unknown_user(spec, &users)),
    };
    let home = user.map_or("/", |user| user.home.as_str());
    let mut identity = Identity { uid, gid, groups: Vec::new(), home: home.to_owned() };
    match (&spec.group, user) {
        (Some(group), _) => identity.gid = resolve_group(spec, group, open)?,
        (None, Some(user)) => {
            let groups = groups(open)?;
            let lists = |group: &&Group| group.members.contains(&user.name);
            for group in groups.iter().filter(lists) {
                if identity.groups.len() < MAX_GROUPS && !identity.groups.contains(&group.gid) {
                    identity.groups.push(group.gid);
                }
            }
        }
        (None, None) => {}
    }
    if identity.home.is_empty() {
        identity.home.push('/');
    }
    Ok(identity)
}

/// Resolves `--chown`, and `USER` for what `WORKDIR` makes, as BuildKit does: a number alone is user and group.
///
/// # Errors
/// As [`resolve_user`].
pub fn resolve_owner(spec: &UserSpec, open: &OpenInTree<'_>) -> Result<Owner, RootfsError> {
    let mut owner = match id(&spec.user) {
        Some(number) => Owner { uid: number, gid: number },
        None => {
            let users = users(open)?;
            let user = users.iter().find(|user| user.name == spec.user);
            let user = user.ok_or_else(|| unknown_user(spec, &users))?;
            Owner { uid: user.uid, gid: user.gid }
        }
    };
    if let Some(group) = &spec.group {
        owner.gid = resolve_group(spec, group, open)?;
    }
    Ok(owner)
}

fn resolve_group(spec: &UserSpec, text: &str, open: &OpenInTree<'_>) -> Result<u32, RootfsError> {
    if let Some(number) = id(text) {
        return Ok(number);
    }
    let groups = groups(open)?;
    match groups.iter().find(|group| group.name == text) {
        Some(group) => Ok(group.gid),
        None => Err(RootfsError::UnknownGroup {
            group: text.to_owned(),
            spec: spec.to_string(),
            known: hint(groups.into_iter().map(|group| group.name)),
        }),
    }
}

fn unknown_user(spec: &UserSpec, users: &[User]) -> RootfsError {
    RootfsError::UnknownUser {
        user: spec.user.clone(),
        spec: spec.to_string(),
        known: hint(users.iter().map(|user| user.name.clone())),
    }
}

/// Reads a number that can be an id; the highest one means "unchanged" to the kernel and is none.
fn id(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number != u32::MAX)
}

fn users(open: &OpenInTree<'_>) -> Result<Vec<User>, RootfsError> {
    read(open, "etc/passwd", |fields| {
        let [name, _, uid, gid, rest @ ..] = fields else { return None };
        let home = rest.get(1).copied().unwrap_or_default().to_owned();
        Some(User { name: (*name).to_owned(), uid: id(uid)?, gid: id(gid)?, home })
    })
}

fn groups(open: &OpenInTree<'_>) -> Result<Vec<Group>, RootfsError> {
    read(open, "etc/group", |fields| {
        let [name, _, gid, rest @ ..] = fields else { return None };
        let members = rest.first().copied().unwrap_or_default().split(',');
        let members = members.filter(|name| !name.is_empty()).map(str::to_owned).collect();
        Some(Group { name: (*name).to_owned(), gid: id(gid)?, members })
    })
}

/// Reads lines of fields between colons; a file that is missing has no lines.
fn read<T>(
    open: &OpenInTree<'_>,
    path: &str,
    row: impl Fn(&[&str]) -> Option<T>,
) -> Result<Vec<T>, RootfsError> {
    let path = TreePath::new(path)
        .map_err(|source| RootfsError::InvalidName { directory: TreePath::root(), source })?;
    let Some(file) = open(&path)? else { return Ok(Vec::new()) };
    let failed = |source: io::Error| RootfsError::ReadUsers { path: path.clone(), source };
    let mut reader = BufReader::new(file.take(MAX_FILE_BYTES + 1));
    let (mut rows, mut line, mut total) = (Vec::new(), Vec::new(), 0);
    loop {
        line.clear();
        let count = reader.read_until(b'\n', &mut line).map_err(failed)? as u64;
        total += count;
        if count == 0 {
            return Ok(rows);
        }
        if total > MAX_FILE_BYTES {
            return Err(failed(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("larger than {MAX_FILE_BYTES} bytes"),
            )));
        }
        let text = String::from_utf8_lossy(&line);
        let fields: Vec<&str> = text.trim().split(':').collect();
        rows.extend(row(&fields));
    }
}

fn hint(names: impl Iterator<Item = String>) -> Vec<String> {
    names.take(MAX_HINTED_NAMES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch_tree::{ScratchTree, path, write};

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n\
        # a comment\n\
        broken:x:zero:0::/:/bin/sh\n\
        minus:x:-1:0::/:/bin/sh\n\
        app:x:1000:1001::/home/app:/bin/sh\n\
        homeless:x:7:8\n\
        +nis\n";
    const GROUP: &str = "root:x:0:\nwheel:x:10:root,app\napp:x:1001:\ndocker:x:99:x,app\nbad:x:y:app\n";

    fn with_files<T>(work: impl FnOnce(&OpenInTree<'_>) -> T) -> T {
        let mut tree = ScratchTree::new();
        let mut vfs = tree.vfs();
        vfs.create_dir_all(&path("etc"), &crate::scratch_tree::attributes(0o755, 1)).unwrap();
        write(&mut vfs, "etc/passwd", PASSWD);
        write(&mut vfs, "etc/group", GROUP);
        work(&|path| vfs.open_file(path).map(Some))
    }

    fn user(text: &str) -> Result<Identity, RootfsError> {
        with_files(|open| resolve_user(&UserSpec::new(text), open))
    }

    fn owner(text: &str) -> Result<(u32, u32), RootfsError> {
        with_files(|open| resolve_owner(&UserSpec::new(text), open)).map(|owner| (owner.uid, owner.gid))
    }

    #[test]
    fn processes_run_as_the_tree_says() {
        let identity = |uid, gid, groups: &[u32], home: &str| Identity {
            uid,
            gid,
            groups: groups.into(),
            home: home.into(),
        };
        assert_eq!(user("").unwrap(), identity(0, 0, &[10], "/root"));
        assert_eq!(user("app").unwrap(), identity(1000, 1001, &[10, 99], "/home/app"));
        assert_eq!(user("1000").unwrap(), identity(1000, 1001, &[10, 99], "/home/app"));
        assert_eq!(user("app:docker").unwrap(), identity(1000, 99, &[], "/home/app"));
        assert_eq!(user("1234").unwrap(), identity(1234, 0, &[], "/"));
        assert_eq!(user("1234:77").unwrap(), identity(1234, 77, &[], "/"));
        assert_eq!(user("homeless").unwrap(), identity(7, 8, &[], "/"));
    }

    #[test]
    fn numbers_of_chown_are_user_and_group() {
        assert_eq!(owner("5").unwrap(), (5, 5));
        assert_eq!(owner("1000").unwrap(), (1000, 1000));
        assert_eq!(owner("app").unwrap(), (1000, 1001));
        assert_eq!(owner("app:wheel").unwrap(), (1000, 10));
        assert_eq!(owner("5:0").unwrap(), (5, 0));
        assert_eq!(owner(":wheel").unwrap(), (0, 10));
    }

    #[test]
    fn unknown_and_broken_names_are_refused() {
        let message = owner("nobody").unwrap_err().to_string();
        assert!(message.contains("root, app, homeless"), "{message}");
        for text in
            ["nobody", "broken", "minus", "-1", "+5", "4294967295", "99999999999", "app:nogroup", "app:bad"]
        {
            assert!(user(text).is_err() && owner(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_need_no_files() {
        let none: &OpenInTree<'_> = &|_| Ok(None);
        assert_eq!(resolve_owner(&UserSpec::new("1:2"), none).unwrap(), Owner { uid: 1, gid: 2 });
        assert_eq!(resolve_user(&UserSpec::new("0"), none).unwrap().home, "/");
        assert!(matches!(resolve_owner(&UserSpec::new("app"), none), Err(RootfsError::UnknownUser { .. })));
    }

    #[test]
    fn an_endless_file_is_given_up() {
        let mut tree = ScratchTree::new();
        let mut vfs = tree.vfs();
        vfs.create_dir_all(&path("etc"), &crate::scratch_tree::attributes(0o755, 1)).unwrap();
        let content = crate::Content::Reader(&mut io::repeat(b'x').take(MAX_FILE_BYTES + 2));
        vfs.write_file(&path("etc/passwd"), content, &crate::scratch_tree::attributes(0o644, 1)).unwrap();
        let error = resolve_owner(&UserSpec::new("app"), &|path| vfs.open_file(path).map(Some)).unwrap_err();
        assert!(matches!(error, RootfsError::ReadUsers { .. }));
    }
}
