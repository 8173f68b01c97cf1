//! RFC 9112's grammar for the head of a request, in the plainest code. It splits a complete head
//! into lines and returns a request or nothing. It ignores speed, input in pieces and status codes.
//! A comment marks each rule that is parlor's own and not the RFC's.

/// A parsed head. Field values have no white space around them.
#[derive(Debug)]
pub struct Request<'a> {
    pub method: &'a str,
    pub target: &'a str,
    pub minor_version: u8,
    pub fields: Vec<(&'a str, &'a [u8])>,
    /// Bytes up to the end of the head, with a blank line before it.
    pub length: usize,
    /// Bytes of the head without that blank line.
    pub head_bytes: usize,
    /// Whether the version is HTTP/1.2 or later, which is served as HTTP/1.1.
    pub is_later_version: bool,
}

/// Parses `HTTP-message = start-line CRLF *( field-line CRLF ) CRLF` (§2.1), with the rules of §3.2
/// and §6 about its fields.
pub fn parse(bytes: &[u8]) -> Option<Request<'_>> {
    // §2.2: a blank line before the request is ignored.
    let blank = if bytes.starts_with(b"\r\n") { 2 } else { 0 };
    let bytes = &bytes[blank..];
    let length = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let mut lines = split(&bytes[..length - 4], b"\r\n").into_iter();
    let start_line: Vec<&[u8]> = lines.next()?.split(|&byte| byte == b' ').collect();
    let [method, target, version] = start_line.as_slice() else {
        return None;
    };
    // §2.3; RFC 9110 §2.5: a later minor version is served as 1.1. parlor's rule: no other major
    // version.
    let (minor_version, is_later_version) = match *version {
        b"HTTP/1.0" => (0, false),
        [
            b'H',
            b'T',
            b'T',
            b'P',
            b'/',
            b'1',
            b'.',
            minor @ b'1'..=b'9',
        ] => (1, *minor > b'1'),
        _ => return None,
    };
    let fields = lines.map(field_line).collect::<Option<Vec<_>>>()?;
    let named = |name: &'static str| {
        fields
            .iter()
            .filter(move |(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| *value)
    };
    // §3.2: exactly one Host in HTTP/1.1, and never two.
    let hosts: Vec<&[u8]> = named("host").collect();
    let host_is_right = hosts.len() <= 1
        && (minor_version == 0 || hosts.len() == 1)
        && hosts.iter().all(|host| is_authority(host));
    // §6. parlor's rule: no request has a body.
    let lengths: Vec<&[u8]> = named("content-length").collect();
    let has_body =
        named("transfer-encoding").next().is_some() || !(lengths.is_empty() || lengths == [b"0"]);
    // parlor's rule: at most 100 header lines.
    let right = is_token(method)
        && is_target(method, target)
        && host_is_right
        && !has_body
        && fields.len() <= 100;
    let (method, target) = (str::from_utf8(method).ok()?, str::from_utf8(target).ok()?);
    right.then_some(Request {
        method,
        target,
        minor_version,
        fields,
        length: length + blank,
        head_bytes: length,
        is_later_version,
    })
}

/// `field-line = field-name ":" OWS field-value OWS` (§5). A value has visible characters, bytes
/// beyond ASCII, and SP or HTAB between them (RFC 9110 §5.5).
fn field_line(line: &[u8]) -> Option<(&str, &[u8])> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = value
        .iter()
        .position(|byte| !is_blank(byte))
        .unwrap_or(value.len());
    let end = value
        .iter()
        .rposition(|byte| !is_blank(byte))
        .map_or(start, |last| last + 1);
    let right = is_token(name)
        && value
            .iter()
            .all(|&byte| byte == b'\t' || (byte >= b' ' && byte != 0x7F));
    Some((
        str::from_utf8(name).ok().filter(|_| right)?,
        &value[start..end],
    ))
}

/// `token = 1*tchar` (RFC 9110 §5.6.2).
fn is_token(bytes: &[u8]) -> bool {
    let is_tchar = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !bytes.is_empty() && bytes.iter().all(is_tchar)
}

/// `origin-form / absolute-form / asterisk-form` (§3.2), the last for OPTIONS only. parlor's rules:
/// no `host:port`, because CONNECT is not supported; only http and https; any visible ASCII in path
/// and query, because browsers send characters that RFC 3986 forbids.
fn is_target(method: &[u8], target: &[u8]) -> bool {
    if (method, target) == (b"OPTIONS", b"*") {
        return true;
    }
    if target
        .iter()
        .any(|byte| !byte.is_ascii_graphic() || *byte == b'#')
    {
        return false;
    }
    let lower = target.to_ascii_lowercase();
    let Some(rest) = lower
        .strip_prefix(b"http://")
        .or(lower.strip_prefix(b"https://"))
    else {
        return target.starts_with(b"/");
    };
    is_authority(
        rest.split(|byte| matches!(byte, b'/' | b'?'))
            .next()
            .unwrap_or_default(),
    )
}

/// `uri-host [ ":" port ]` (RFC 9110 §7.2, RFC 3986 §3.2.2). parlor's rules: no empty host, ports
/// of 16 bits, no IPvFuture.
fn is_authority(bytes: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(bytes) else {
        return false;
    };
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (text, ""),
    };
    let port_is_right = port.bytes().all(|byte| byte.is_ascii_digit())
        && (port.is_empty() || port.parse::<u16>().is_ok());
    let address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let host_is_right = match address {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => is_registered_name(host.as_bytes()),
    };
    host_is_right && port_is_right
}

/// `1*( unreserved / pct-encoded / sub-delims )` (RFC 3986 §3.2.2).
fn is_registered_name(name: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(byte);
    let mut parts = name.split(|&byte| byte == b'%');
    let first = parts.next().unwrap_or_default();
    let escaped = |part: &[u8]| {
        part.len() >= 2
            && part[..2].iter().all(u8::is_ascii_hexdigit)
            && part[2..].iter().all(plain)
    };
    !name.is_empty() && first.iter().all(plain) && parts.all(escaped)
}

/// The parts between separators. A single CR or LF is not a separator and stays in its part, where
/// no line allows it.
fn split<'a>(bytes: &'a [u8], separator: &[u8]) -> Vec<&'a [u8]> {
    match bytes
        .windows(separator.len())
        .position(|window| window == separator)
    {
        Some(at) => [
            vec![&bytes[..at]],
            split(&bytes[at + separator.len()..], separator),
        ]
        .concat(),
        None => vec![bytes],
    }
}
