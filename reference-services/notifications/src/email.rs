//! E-mail: over SMTP when a server is configured, and into a folder of `.eml`
//! files when none is, where any mail program opens them. A mail that is sent
//! twice has the same `Message-ID` twice (and the same file).

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use crate::templates::Words;

/// Name of the mail server in traces.
pub const PEER: &str = "mail-server";

/// The folder's name in the data folder.
pub const OUTBOX: &str = "outbox";

/// Most files that are kept in the folder: the newest.
pub const MAX_FILES: usize = 1_000;

/// Files that are written between two looks at how many there are.
const TIDY_EVERY: u64 = 100;

/// Time for a mail to be taken by the server.
pub const TIMEOUT: Duration = Duration::from_secs(4);

/// Part of a `Message-ID` behind the `@`.
const DOMAIN: &str = "notifications.cloudscale.invalid";

/// Why a mail was not sent.
#[derive(Debug)]
pub(crate) enum NotSent {
    /// It may be later.
    Later(String),
    /// It never will be: the server refuses the address or the mail.
    Never(String),
}

/// Sends mail.
#[derive(Debug)]
pub(crate) struct Mailer {
    from: Mailbox,
    way: Way,
}

enum Way {
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    Folder { folder: PathBuf, written: AtomicU64 },
}

impl std::fmt::Debug for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Smtp(_) => f.write_str("Smtp"),
            Self::Folder { folder, .. } => write!(f, "Folder({})", folder.display()),
        }
    }
}

impl Mailer {
    /// Over the server at `smtp_url`, or else into a folder below `data_dir`.
    pub(crate) fn new(smtp_url: Option<&str>, from: &str, data_dir: &Path) -> anyhow::Result<Self> {
        let from = from.parse().with_context(|| format!("`{from}` is not a sender of mail"))?;
        let way = match smtp_url {
            Some(url) => {
                // The address holds a password: it is in no message.
                let builder =
                    AsyncSmtpTransport::<Tokio1Executor>::from_url(url).map_err(|_| {
                        anyhow::anyhow!(
                            "the address of the mail server cannot be read\nhelp: for example \
                         `smtp://user:password@mail.example.org:587?tls=required`"
                        )
                    })?;
                Way::Smtp(builder.timeout(Some(TIMEOUT)).build())
            }
            None => {
                let folder = data_dir.join(OUTBOX);
                chassis::secret::folder(&folder)
                    .with_context(|| format!("cannot create `{}`", folder.display()))?;
                Way::Folder { folder, written: AtomicU64::new(0) }
            }
        };
        Ok(Self { from, way })
    }

    /// Whether it goes over the network.
    pub(crate) fn is_remote(&self) -> bool {
        matches!(self.way, Way::Smtp(_))
    }

    /// Sends a mail under a name that stays the same when it is sent again.
    pub(crate) async fn send(&self, id: &str, to: &str, words: &Words) -> Result<(), NotSent> {
        let message = self
            .message(id, to, words)
            .map_err(|error| NotSent::Never(format!("the mail cannot be made: {error:#}")))?;
        match &self.way {
            Way::Smtp(server) => match server.send(message).await {
                Ok(_) => Ok(()),
                Err(error) if error.is_permanent() => Err(NotSent::Never(reason(&error))),
                Err(error) => Err(NotSent::Later(reason(&error))),
            },
            Way::Folder { folder, written } => {
                let kept = keep(folder, id, &message.formatted()).await;
                kept.map_err(|error| NotSent::Later(format!("{error:#}")))?;
                if written.fetch_add(1, Ordering::Relaxed) % TIDY_EVERY == 0 {
                    tidy(folder).await;
                }
                Ok(())
            }
        }
    }

    fn message(&self, id: &str, to: &str, words: &Words) -> anyhow::Result<Message> {
        let to: Mailbox = to.parse().context("the address is no mailbox")?;
        let both = MultiPart::alternative_plain_html(words.text.clone(), words.html.clone());
        let mut message = Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(words.subject.clone())
            .message_id(Some(format!("<{id}@{DOMAIN}>")))
            .multipart(both)?;
        // RFC 3834: nobody's holiday answers this.
        let name = HeaderName::new_from_ascii_str("Auto-Submitted");
        message.headers_mut().insert_raw(HeaderValue::new(name, "auto-generated".to_owned()));
        Ok(message)
    }
}

/// Why a server did not take a mail, by its code alone: its words name the address.
fn reason(error: &lettre::transport::smtp::Error) -> String {
    match error.status() {
        Some(code) => format!("the mail server answers {code}"),
        None if error.is_timeout() => "the mail server does not answer in time".to_owned(),
        None if error.is_response() => "the mail server's answer cannot be read".to_owned(),
        None => "the mail server cannot be reached".to_owned(),
    }
}

/// Writes beside the file and renames, so that a mail is there whole or not at all.
async fn keep(folder: &Path, id: &str, bytes: &[u8]) -> anyhow::Result<()> {
    let file = folder.join(format!("{id}.eml"));
    let beside = file.with_extension("new");
    tokio::fs::write(&beside, bytes).await.context("cannot write the mail")?;
    tokio::fs::rename(&beside, &file).await.context("cannot write the mail")
}

/// Removes all but the newest files. Their names begin with the time (UUIDv7).
async fn tidy(folder: &Path) {
    let Ok(mut entries) = tokio::fs::read_dir(folder).await else { return };
    let mut files = Vec::new();
    while let Ok(Some(entry)) = entries.next_entry().await {
        files.push(entry.path());
    }
    files.sort_unstable();
    let too_many = files.len().saturating_sub(MAX_FILES);
    for file in &files[..too_many] {
        let _ = tokio::fs::remove_file(file).await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn words() -> Words {
        Words {
            subject: "Grüße über EUR 1.00".to_owned(),
            text: "Hello\n".to_owned(),
            html: "<p>Hello</p>".to_owned(),
        }
    }

    #[tokio::test]
    async fn a_mail_that_is_sent_again_is_the_same_file_and_only_the_newest_stay() {
        let folder = tempfile::tempdir().unwrap();
        let mailer = Mailer::new(None, "Shop <shop@example.org>", folder.path()).unwrap();
        let outbox = folder.path().join(OUTBOX);
        for number in 0..MAX_FILES + 20 {
            std::fs::write(outbox.join(format!("{number:06}.eml")), "old").unwrap();
        }
        for _ in 0..2 {
            mailer.send("a.email", "Ada <ada@example.org>", &words()).await.unwrap();
        }
        let left = std::fs::read_dir(&outbox).unwrap().count();
        assert_eq!(left, MAX_FILES, "the newest are kept");
        let text = std::fs::read_to_string(outbox.join("a.email.eml")).unwrap();
        for part in [
            "Message-ID: <a.email@notifications.cloudscale.invalid>",
            "To: Ada <ada@example.org>",
            "From: Shop <shop@example.org>",
            "Auto-Submitted: auto-generated",
            "text/plain",
            "text/html",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        let strange = mailer.send("b", "no address\r\nBcc: eve@example.org", &words()).await;
        assert!(matches!(strange, Err(NotSent::Never(_))), "{strange:?}");
    }

    #[test]
    fn a_wrong_server_is_refused_without_telling_its_password() {
        for url in ["nonsense", "http://user:secret@example.org", "smtp://"] {
            let folder = tempfile::tempdir().unwrap();
            let refused = Mailer::new(Some(url), "a@example.org", folder.path());
            let Err(error) = refused else { continue };
            assert!(!format!("{error:#}").contains("secret"), "{error:#}");
        }
        assert!(Mailer::new(None, "nobody", Path::new("/")).is_err());
    }
}
