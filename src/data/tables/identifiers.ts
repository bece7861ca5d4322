/** Usual names of identifiers, and of the index that pandas writes. */
const IDENTIFIER = /^(id|index|uuid|guid|row_?(id|number)|unnamed: ?0|)$|[_ ]id$/i;

/** Whether the name of a column suggests that it names samples. */
export function isIdentifierName(name: string): boolean {
  return IDENTIFIER.test(name.trim());
}
