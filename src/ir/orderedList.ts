interface Place<Item> {
  readonly item: Item;
  previous: Place<Item> | undefined;
  next: Place<Item> | undefined;
}

/** A list with insertion and removal anywhere in constant time. */
export class OrderedList<Item> {
  readonly #places = new Map<Item, Place<Item>>();
  #first: Place<Item> | undefined;
  #last: Place<Item> | undefined;
  #all: readonly Item[] | undefined;
  #position: Item | undefined;

  /** A snapshot of all items in order: later changes do not affect the array. */
  get all(): readonly Item[] {
    this.#all ??= [...this];
    return this.#all;
  }

  *[Symbol.iterator](): Generator<Item> {
    for (let place = this.#first; place; place = place.next) yield place.item;
  }

  /** Inserts the items of `write` before this one, or at the end. */
  at<T>(before: Item | undefined, write: () => T): T {
    const outer = this.#position;
    this.#position = before;
    try {
      return write();
    } finally {
      this.#position = outer;
    }
  }

  /** Inserts an item before another one: by default at the position of {@link at}, or at the end. */
  insert(item: Item, before: Item | undefined = this.#position): void {
    const next = before && this.#placeOf(before);
    const place: Place<Item> = { item, previous: next ? next.previous : this.#last, next };
    this.#join(place.previous, place);
    this.#join(place, next);
    this.#places.set(item, place);
    this.#all = undefined;
  }

  remove(item: Item): void {
    const { previous, next } = this.#placeOf(item);
    this.#places.delete(item);
    this.#join(previous, next);
    this.#all = undefined;
  }

  previous(item: Item): Item | undefined {
    return this.#placeOf(item).previous?.item;
  }

  /** The item after another one; the first item without one. */
  next(item: Item | undefined): Item | undefined {
    return item === undefined ? this.#first?.item : this.#placeOf(item).next?.item;
  }

  #join(left: Place<Item> | undefined, right: Place<Item> | undefined): void {
    if (left) left.next = right;
    else this.#first = right;
    if (right) right.previous = left;
    else this.#last = left;
  }

  #placeOf(item: Item): Place<Item> {
    const place = this.#places.get(item);
    if (place) return place;
    throw new Error('an item that is not in this list');
  }
}
