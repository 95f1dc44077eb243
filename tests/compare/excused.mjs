// Where a book built by Loggia may differ from mdBook's. `main` asks; nothing else is excused.

/** Pages that only mdBook writes. */
export const ONLY_MDBOOK = {
  "toc.html": "mdBook's sidebar for readers without script; ours stands in every page",
};

/** Pages that only Loggia writes. */
export const ONLY_LOGGIA = {
  "contents.html": "the table of contents, where the book has a page of its own at its front",
  "glossary.html": "all terms of the book",
  "search.html": "the search without script",
};

/** Pages whose headings are not compared. */
export const HEADINGS_APART = {
  "print.html": "two chapters with the same heading share an id there at mdBook's; ours differ",
  "404.html": "neither is a chapter",
};

/** A heading of signs only: mdBook gives it the empty id or just a number, which no link can name. */
export const signsOnly = (id) => id === "" || /^-\d+$/.test(id);

/** Links that lead nowhere at ours only. */
export const LINKS = {
  "names/scopes.html -> ../items/enumerations.mdr":
    "a slip of the book's for `enumerations.md`: mdBook cuts every address behind `.md`; ours is found",
};

/** Headings that differ. */
export const HEADINGS = {
  "unsafe-deep-dive/initialization/maybeuninit.html #maybeuninit":
    "`<T>` is an unknown element for mdBook and is not seen; ours shows it as the text that was meant",
};
