// What the page knows, and what its reader has chosen.

const KEPT = "sandbox-place";

export class Store extends EventTarget {
  people = new Map();
  conversations = [];
  items = [];
  layouts = {};
  photos = [];
  questions = {};
  links = {};
  troubles = [];
  on = [];
  killable = false;
  figures = null;
  connected = false; // to the sandbox
  unread = new Map();
  watching = true; // whether the chat is what the reader sees: on a phone it may not be
  replying = null; // the item that is replied to

  #place = sessionStorage.getItem(KEPT);
  #speakers = new Map();

  /** News of the server; `fresh` is everything, for whoever had nothing or something old. */
  apply(news, fresh) {
    if (fresh) this.items = [];
    const { people, items, ...plain } = news;
    if (people) this.people = new Map(people.map((person) => [person.id, person]));
    Object.assign(this, plain);
    for (const [number, item] of Object.entries(items ?? {})) {
      const isNew = !this.items[number];
      this.items[number] = item;
      if (isNew && !fresh && !this.#isSeen(item))
        this.unread.set(item.conversation, (this.unread.get(item.conversation) ?? 0) + 1);
    }
    this.#tell();
  }

  get place() {
    return this.conversations.find(({ id }) => id === this.#place) ?? this.conversations[0];
  }

  /** Who speaks here: whoever was chosen, else the first; nobody before the first news. */
  get speaker() {
    const { place } = this;
    return place && this.people.get(this.#speakers.get(place.id) ?? place.members[0]);
  }

  itemsOf(conversation) {
    return this.items.filter((item) => item?.conversation === conversation);
  }

  enter(conversation) {
    this.#place = conversation;
    sessionStorage.setItem(KEPT, conversation);
    this.replying = null;
    this.look();
  }

  speakAs(user) {
    this.#speakers.set(this.place.id, user);
    this.#tell();
  }

  reply(item) {
    this.replying = item;
    this.#tell();
  }

  /** The chat is looked at, or is not any more. */
  look(watching = this.watching) {
    this.watching = watching;
    if (watching && this.place) this.unread.delete(this.place.id);
    this.#tell();
  }

  line(connected) {
    this.connected = connected;
    this.#tell();
  }

  #isSeen(item) {
    return this.watching && item.conversation === this.place?.id;
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }
}
