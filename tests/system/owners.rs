//! One digest everywhere: what root builds, an ordinary user with subordinate ids builds byte for byte.

use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};

use anyhow::Result;
use zoea_tests::{Actor, Base, Need, Zoea, ready};

use crate::result::{Built, with_base, words};

/// Steps that change owners, modes, links and directories, and read neither time nor network.
const DOCKERFILE: &str = r#"FROM base AS made
RUN mkdir -p /srv/data/sub /srv/gone && echo one > /srv/data/one && echo x > /srv/gone/x \
 && chown 1001:1002 /srv/data/one && chmod 4750 /srv/data/one \
 && chmod 1777 /srv/data/sub && chown -R alice:crew /srv/data/sub \
 && ln -s one /srv/data/link && ln /srv/data/one /srv/data/hard && mkfifo -m 620 /srv/pipe
RUN rm -r /srv/gone && mkdir -m 750 /srv/gone && echo new > /srv/gone/new \
 && chown 0:1003 /srv/data && chmod 711 /srv && rm /bin/yes && chown 65534:65534 /etc/group \
 && touch -h -d '2001-02-03 04:05:06' /srv/data/link
WORKDIR /made/deep
COPY --chown=alice:crew --chmod=640 file tree/ ./
USER alice
RUN echo mine > /tmp/mine && id -u > /tmp/uid && id -G > /tmp/groups
USER root
RUN mv /srv/data/sub /srv/data/moved && mv /srv/gone /srv/kept && cp -a /bin/cat /bin/cat2
RUN true
FROM base
COPY --from=made /srv /srv
COPY --from=made --chown=7:8 /made /made
COPY --from=made /tmp /tmp
RUN rm -rf /root && echo end > /end && chmod 600 /end
VOLUME /srv
"#;

fn built(zoea: &Zoea, target: &[&str]) -> Result<Built> {
    let files = [("Dockerfile", DOCKERFILE), ("file", "file\n"), ("tree/a", "a\n"), ("tree/b/c", "c\n")];
    let context = zoea.context(&files)?;
    let base = with_base(Base::Busybox)?;
    let fixed = ["--source-date-epoch", "1700000000"];
    Built::new(zoea, &context, &[&words(&base)[..], &fixed, target].concat())
}

#[test]
fn root_and_user_build_the_same_digest() -> Result<()> {
    let needs = [Need::Root, Need::SubordinateIds, Need::Base(Base::Busybox), Need::Program("skopeo")];
    if !ready("root_and_user_build_the_same_digest", &needs) {
        return Ok(());
    }
    for target in [&[][..], &["--target", "made"]] {
        let [root, user] = Actor::BOTH.map(|actor| -> Result<_> {
            let zoea = Zoea::new(actor)?;
            let built = built(&zoea, target)?;
            Ok((built.layers()?, built.config()?, built.digest()?))
        });
        let (root, user) = (root?, user?);
        assert_eq!(root.0, user.0, "layers");
        assert_eq!(root.1, user.1, "configuration");
        assert_eq!(root.2, user.2, "digest");
    }
    Ok(())
}

#[test]
fn an_ordinary_user_builds_the_right_tree() -> Result<()> {
    let needs = [Need::Root, Need::SubordinateIds, Need::Base(Base::Busybox)];
    let programs = ["skopeo", "umoci"].map(Need::Program);
    if !ready("an_ordinary_user_builds_the_right_tree", &[&needs[..], &programs].concat()) {
        return Ok(());
    }
    let bundle = built(&Zoea::new(Actor::User)?, &["--target", "made"])?.unpack()?;
    let root = bundle.root();
    for (path, owner, group, mode) in [
        ("srv", 0, 0, 0o711),
        ("srv/data", 0, 1003, 0o755),
        ("srv/data/one", 1001, 1002, 0o4750),
        ("srv/data/hard", 1001, 1002, 0o4750),
        ("srv/data/moved", 1001, 1002, 0o1777),
        ("srv/kept", 0, 0, 0o750),
        ("srv/pipe", 0, 0, 0o620),
        ("etc/group", 65534, 65534, 0o644),
        ("made/deep", 0, 0, 0o755),
        ("made/deep/file", 1001, 1002, 0o640),
        ("made/deep/b/c", 1001, 1002, 0o640),
        ("tmp/mine", 1001, 1002, 0o644),
    ] {
        let metadata = root.join(path).symlink_metadata()?;
        let found = (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777);
        assert_eq!(found, (owner, group, mode), "{path}: {found:?}");
    }
    let inode = |path: &str| root.join(path).symlink_metadata().map(|metadata| metadata.ino());
    assert_eq!(inode("srv/data/one")?, inode("srv/data/hard")?);
    assert!(root.join("srv/pipe").symlink_metadata()?.file_type().is_fifo());
    assert_eq!(std::fs::read_link(root.join("srv/data/link"))?.to_str(), Some("one"));
    assert_eq!(root.join("srv/data/link").symlink_metadata()?.mtime(), 981_173_106);
    assert_eq!(std::fs::read_to_string(root.join("tmp/uid"))?, "1001\n");
    assert_eq!(std::fs::read_to_string(root.join("tmp/groups"))?, "1002 1003\n");
    for gone in ["srv/gone", "bin/yes", "srv/data/sub"] {
        assert!(!root.join(gone).exists(), "{gone}");
    }
    Ok(())
}

#[test]
fn without_subordinate_ids_other_users_are_refused_with_a_hint() -> Result<()> {
    let needs = [Need::Root, Need::Base(Base::Busybox), Need::Program("skopeo")];
    if !ready("without_subordinate_ids_other_users_are_refused_with_a_hint", &needs) {
        return Ok(());
    }
    let zoea = Zoea::new(Actor::Stranger)?;
    let base = with_base(Base::Busybox)?;
    let built = Built::of(&zoea, "FROM base\nRUN id -u > /uid && rm /bin/yes\n", &words(&base))?;
    assert_eq!(built.top_layer()?.len(), 3, "{:?}", built.top_layer());

    let context = zoea.context(&[("Dockerfile", "FROM base\nUSER alice\nRUN id\n")])?;
    zoea.build(&context, &words(&base))?.failure(69, &["Dockerfile:3", "hint: "])?;
    Ok(())
}
