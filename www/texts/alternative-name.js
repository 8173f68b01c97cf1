// Another name for one that is taken: the same with a number, or with the next one. Pure.

const MOST = 32;

/** `Ada` → `Ada2`, `Ada2` → `Ada3`; never longer than a name may be. */
export function proposal(name) {
  const [, stem, digits] = /^(.*?)(\d{0,6})$/su.exec(name.trim());
  const number = String(Number(digits || 1) + 1);
  const letters = [...stem].slice(0, MOST - number.length).join('');
  return stem === '' ? `guest${number}` : `${letters}${number}`;
}
