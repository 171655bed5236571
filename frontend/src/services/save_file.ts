/** How long a browser may take to begin reading what it saves. */
const READ_WITHIN_MS = 60_000;

/** Lets the browser save a file, whose text comes in parts. */
export function saveFile(name: string, parts: string[], type: string) {
  const url = URL.createObjectURL(new Blob(parts, { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), READ_WITHIN_MS);
}
