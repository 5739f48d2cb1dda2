// Clips: from the page itself, from where they lay beside it, or from a folder that somebody chooses.

const chosenFiles = new Map(); // of that folder, by name
const lost = new Map(); // what stands on the page for clips that are not there, and what shows each anew

/** The clip, with its first frame; the rest is loaded when somebody plays it. Those of other pairs load nothing. */
function media(clip, index) {
  const embedded = document.getElementById(`clip-${index}`)?.textContent;
  if (embedded) return player(clip, [embedded]);
  if (!clip.address) return el("p", { class: "no-clip" }, "no clip");
  const chosen = chosenAs(clip.address);
  return player(clip, chosen ? [chosen] : places(clip.address));
}

/** A link as it is; then for a page that was moved with its clips, but not with the folders between. */
function places(address) {
  const parts = address.split("/");
  return unique([address, parts.slice(-2).join("/"), parts.at(-1)]);
}

function player(clip, [source, ...others]) {
  const made = el(clip.kind, {
    src: source,
    controls: true,
    preload: "metadata",
    "aria-label": `Clip ${clip.name}`,
    error: () => made.replaceWith(others.length ? player(clip, others) : missing(clip)),
  });
  return made;
}

/** Says so, and asks for the folder: a page may not look for files by itself. */
function missing(clip) {
  const input = el("input", { type: "file", webkitdirectory: true, hidden: true, change: () => choose(input.files) });
  const box = el(
    "div",
    { class: "no-clip" },
    el("p", {}, chosenFiles.size ? "the clip is not in that folder" : "the clip is not there"),
    el("button", { type: "button", class: "quiet", click: () => input.click() }, "Choose the folder of the clips"),
    input,
  );
  lost.set(box, () => media(clip, -1));
  return box;
}

function choose(files) {
  chosenFiles.clear();
  for (const file of files) chosenFiles.set(file.name, [...(chosenFiles.get(file.name) ?? []), file]);
  const boxes = [...lost].filter(([box]) => box.isConnected);
  lost.clear();
  for (const [box, again] of boxes) box.replaceWith(again());
}

/** An address of the file that was chosen under this name; of several, of the one in folders of the same names. */
function chosenAs(address) {
  const wanted = address.split("/").map(decodeURIComponent).reverse();
  const alike = (file) => {
    const parts = file.webkitRelativePath.split("/").reverse();
    const differs = wanted.findIndex((part, i) => part !== parts[i]);
    return differs < 0 ? wanted.length : differs;
  };
  const [best] = (chosenFiles.get(wanted[0]) ?? []).toSorted((one, other) => alike(other) - alike(one));
  return best && URL.createObjectURL(best);
}
