//! Embeds `www/`: writes the table of its files that `src/http/pages.rs` includes.
//!
//! A browser would fetch the page's modules one by one, dozens of requests for each visitor. So the
//! script that an HTML file names is embedded together with all that it imports, each module as a
//! function that is called once. The modules have their own addresses too, for readers. A module
//! that is imported later, by `import('../app/later.js')`, is embedded with what only it imports.
//!
//! A hash of all files, the *build*, names a folder in which they can be cached for ever. The HTML
//! files refer to that folder, so a module finds another one, or a style sheet, beside itself.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=www");
    println!("cargo::rerun-if-changed=build.rs");
    let www = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("www");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut files = BTreeMap::new();
    collect(&www, Path::new(""), &mut files)?;
    for page in files
        .clone()
        .values()
        .filter(|path| path.extension().is_some_and(|it| it == "html"))
    {
        let html = fs::read_to_string(page)?;
        for tag in html.split("<script type=\"module\" src=\"").skip(1) {
            let entry = Path::new(tag.split('"').next().unwrap_or_default());
            // A global, because an import loads the entry twice at http://user:password@host/.
            let modules = "const $modules = globalThis.parlorModules ??= {};\n";
            let (mut script, mut done) = (modules.to_owned(), Vec::new());
            add(&www, entry, true, &mut done, &mut script)?;
            for import in script.split("import('../").skip(1) {
                let later = Path::new(import.split('\'').next().unwrap_or_default());
                let mut script = modules.to_owned();
                let exports = add(&www, later, false, &mut done.clone(), &mut script)?;
                writeln!(
                    script,
                    "export const {{ {exports} }} = $modules[{later:?}];"
                )?;
                files.insert(later.to_owned(), bundle(&out, later, &script)?);
            }
            files.insert(entry.to_owned(), bundle(&out, entry, &script)?);
        }
    }
    let mut hasher = DefaultHasher::new();
    for (name, path) in &files {
        hasher.write(name.as_os_str().as_encoded_bytes());
        hasher.write(&fs::read(path)?);
    }
    let build = format!("{:016x}", hasher.finish());
    println!("cargo::rustc-env=PARLOR_BUILD={build}");
    let mut table = String::new();
    for (name, path) in &files {
        let mut path = path.clone();
        if name.extension().is_some_and(|it| it == "html") {
            let html = with_build(&fs::read_to_string(&path)?, &build, &files);
            path = out.join(name);
            fs::write(&path, html)?;
        }
        writeln!(table, "({name:?}, include_bytes!({path:?})),")?;
    }
    Ok(fs::write(out.join("www.rs"), format!("&[{table}]"))?)
}

/// Lets attributes of an HTML file that name a file refer to the folder of the build. Other pages,
/// and the manifest, whose addresses are relative to its own, stay where they are.
fn with_build(html: &str, build: &str, files: &BTreeMap<PathBuf, PathBuf>) -> String {
    let mut parts = html.split_inclusive("=\"");
    let mut linked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let name = Path::new(part.split('"').next().unwrap_or_default());
        let extension = name.extension();
        let stays = extension.is_none_or(|it| it == "html" || it == "webmanifest");
        if !stays && files.contains_key(name) {
            linked += &format!("{build}/");
        }
        linked += part;
    }
    linked
}

/// Writes a bundle. Returns its path.
fn bundle(out: &Path, name: &Path, script: &str) -> Result<PathBuf, Box<dyn Error>> {
    let path = out.join("bundles").join(name);
    fs::create_dir_all(path.parent().ok_or("a bundle without a folder")?)?;
    fs::write(&path, script)?;
    Ok(path)
}

/// Finds the files below a folder, by their names.
fn collect(
    www: &Path,
    below: &Path,
    files: &mut BTreeMap<PathBuf, PathBuf>,
) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(www.join(below))? {
        let name = below.join(entry?.file_name());
        let path = www.join(&name);
        if path.is_dir() {
            collect(www, &name, files)?;
        } else {
            files.insert(name, path);
        }
    }
    Ok(())
}

/// Appends a module to a bundle, after the modules that it imports, without comments.
/// Returns its exports. The forms of `import` and `export` are those that `www/` uses, one a line;
/// another one fails the build.
fn add(
    www: &Path,
    name: &Path,
    is_entry: bool,
    done: &mut Vec<PathBuf>,
    bundle: &mut String,
) -> Result<String, Box<dyn Error>> {
    if done.iter().any(|other| other == name) {
        return Ok(String::new());
    }
    done.push(name.to_owned());
    let (mut body, mut exports, mut in_comment) = (String::new(), Vec::new(), false);
    for line in fs::read_to_string(www.join(name))?.lines() {
        in_comment |= line.trim_start().starts_with("/*");
        if in_comment || line.trim_start().starts_with("//") {
            in_comment &= !line.ends_with("*/");
            continue;
        }
        // A comment at the end of a line; a string with two slashes would end behind them.
        let line = match line.rsplit_once(" // ") {
            Some((code, comment)) if !comment.contains(['\'', '"', '`']) => code,
            _ => line,
        };
        let unknown = || format!("www/{}: the bundle can't have: {line}", name.display());
        if let Some(import) = line.strip_prefix("import ") {
            let (names, path) = import.split_once(" from '").ok_or_else(unknown)?;
            let path = path.strip_suffix("';").ok_or_else(unknown)?;
            let other = match path.strip_prefix("../") {
                Some(path) => PathBuf::from(path), // folders are not nested
                None => name.with_file_name(path.trim_start_matches("./")),
            };
            add(www, &other, false, done, bundle)?;
            let names = names.trim_start_matches("* as ").replace(" as ", ": ");
            writeln!(body, "const {names} = $modules[{other:?}];")?;
        } else if let Some(declaration) = line.strip_prefix("export ") {
            let (kind, rest) = declaration.split_once(' ').ok_or_else(unknown)?;
            if !["const", "class", "function"].contains(&kind) {
                return Err(unknown().into());
            }
            let is_end = |letter: char| !letter.is_alphanumeric() && letter != '_';
            exports.extend(rest.split(is_end).next().map(str::to_owned));
            writeln!(body, "{declaration}")?;
        } else {
            writeln!(body, "{line}")?;
        }
    }
    let exports = exports.join(", ");
    if is_entry {
        write!(bundle, "\n// {}\n{body}", name.display())?;
    } else {
        writeln!(
            bundle,
            "\n$modules[{name:?}] = (() => {{\n{body}return {{ {exports} }};\n}})();"
        )?;
    }
    Ok(exports)
}
