/** What identifiers, and the index that pandas writes, are called. */
const IDENTIFIER = /^(id|index|uuid|guid|row_?(id|number)|unnamed: ?0|)$|[_ ]id$/i;

/** Whether a column is called like one that names samples. */
export function isIdentifierName(name: string): boolean {
  return IDENTIFIER.test(name.trim());
}
