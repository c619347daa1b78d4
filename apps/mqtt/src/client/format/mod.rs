//! How received messages are printed.

mod dump;
mod json;
mod parse;
mod template;

use std::io::{self, Write};

use jiff::Zoned;
use mqtt_tokio::Message;

use self::template::Template;
use crate::Ending;

/// How received messages are printed: the payload, and a line feed.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArguments {
    /// Print the topic before each payload
    #[arg(short, long)]
    pub verbose: bool,
    /// Print by this template: %t topic, %p payload, %x in hexadecimal, %q QoS, %r retained, %l length, %I time, %j JSON, ...
    ///
    /// %C content type, %D correlation data, %E message expiry, %F payload format, %P user properties, %R response topic,
    /// %S subscription identifier, %X payload in upper case hexadecimal, %J JSON with the payload as JSON, %U Unix time.
    /// Between % and the letter: - (to the left), 0 (padded with zeros), a width, and .n (cut after n characters).
    /// @Y, @H and so on are those of strftime, @N nanoseconds; \n, \t, \0, \e, \a, \r, \v and \\ are characters; %% and @@ stand
    /// for themselves.
    #[arg(short = 'F', long, value_name = "TEMPLATE", conflicts_with_all = ["verbose", "json", "hexdump"],
        allow_hyphen_values = true)]
    pub format: Option<String>,
    /// Print one JSON object a line; as -F %j
    #[arg(long, conflicts_with_all = ["verbose", "hexdump"])]
    pub json: bool,
    /// Print JSON over several lines
    #[arg(long)]
    pub pretty: bool,
    /// Print payloads as bytes in hexadecimal and text, under a line with the topic
    #[arg(long, conflicts_with = "verbose")]
    pub hexdump: bool,
    /// Print no line feed after each message
    #[arg(short = 'N')]
    pub no_line_feed: bool,
}

/// Prints messages.
#[derive(Debug)]
pub(crate) struct Printer {
    style: Style,
    ends_lines: bool,
}

#[derive(Debug)]
enum Style {
    Payload,
    TopicAndPayload,
    Template(Template),
    Dump,
}

impl Printer {
    pub(crate) fn new(arguments: &OutputArguments) -> Result<Self, Ending> {
        let template = |text: &str| {
            Template::new(text, arguments.pretty).map_err(|error| Ending::misused(format_args!("-F: {error}")))
        };
        let style = match (&arguments.format, arguments) {
            (Some(text), _) => Style::Template(template(text)?),
            (None, OutputArguments { json: true, .. }) => Style::Template(template("%j")?),
            (None, OutputArguments { hexdump: true, .. }) => Style::Dump,
            (None, OutputArguments { verbose: true, .. }) => Style::TopicAndPayload,
            _ => Style::Payload,
        };
        Ok(Self {
            style,
            ends_lines: !arguments.no_line_feed,
        })
    }

    /// Prints a message that came now. What is printed of one that does not fit its template is nothing: `false`.
    pub(crate) fn print(&self, out: &mut impl Write, message: &Message) -> io::Result<bool> {
        match &self.style {
            Style::Payload => out.write_all(&message.payload)?,
            Style::TopicAndPayload => {
                out.write_all(message.topic.as_bytes())?;
                out.write_all(b" ")?;
                match message.payload.is_empty() {
                    true => out.write_all(b"(null)")?,
                    false => out.write_all(&message.payload)?,
                }
            }
            Style::Template(template) => match template.filled(message, &Zoned::now()) {
                Some(text) => out.write_all(&text)?,
                None => return Ok(false),
            },
            Style::Dump => dump::write(out, message)?,
        }
        if self.ends_lines && !matches!(self.style, Style::Dump) {
            out.write_all(b"\n")?;
        }
        Ok(true)
    }
}
