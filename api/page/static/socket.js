// A small Socket.IO client: protocol 5 over Engine.IO 4, websocket only, one namespace, JSON events and acknowledgements.
// https://socket.io/docs/v4/engine-io-protocol/ and https://socket.io/docs/v4/socket-io-protocol/

const OPEN = "0", CLOSE = "1", PING = "2", PONG = "3", MESSAGE = "4";
const CONNECT = "0", DISCONNECT = "1", EVENT = "2", ACK = "3", CONNECT_ERROR = "4";
const ACK_MS = 15000, FIRST_MS = 300, MOST_MS = 15000;

export class Lost extends Error {}

export class Socket {
  // auth(renew): gives the auth payload, with a new token when `renew`; on: {event(name, data), open(), lost(), refused(error)}
  constructor(address, auth, on) {
    Object.assign(this, { address, auth, on, socket: null, waiting: new Map(), nextId: 0, tries: 0, renew: false });
    this.isOpen = false;
    this.isClosed = false;
    addEventListener("online", () => this.hurry());
  }

  async connect() {
    this.timer = undefined;
    let auth;
    try {
      auth = await this.auth(this.renew);
    } catch (error) {
      return error.code === "not_signed_in" ? this.on.refused(error) : this.later();
    }
    if (this.isClosed) return;
    const socket = (this.socket = new WebSocket(this.address));
    socket.onmessage = (frame) => socket === this.socket && this.receive(String(frame.data), auth);
    socket.onclose = () => socket === this.socket && this.lose();
  }

  receive(frame, auth) {
    this.watch();
    const kind = frame[0];
    if (kind === OPEN) {
      const { pingInterval, pingTimeout } = JSON.parse(frame.slice(1));
      this.patience = pingInterval + pingTimeout;
      this.socket.send(MESSAGE + CONNECT + JSON.stringify(auth));
    } else if (kind === PING) this.socket.send(PONG);
    else if (kind === CLOSE) this.drop();
    else if (kind === MESSAGE) this.packet(frame[1], frame.slice(2));
  }

  packet(kind, rest) {
    if (kind === CONNECT) {
      this.isOpen = true;
      this.tries = 0;
      this.renew = false;
      this.on.open();
    } else if (kind === DISCONNECT) this.drop();
    else if (kind === EVENT) this.on.event(...JSON.parse(rest.slice(rest.indexOf("["))));
    else if (kind === ACK) {
      const start = rest.indexOf("["), id = Number(rest.slice(0, start));
      this.waiting.get(id)?.resolve(JSON.parse(rest.slice(start))[0]);
    } else if (kind === CONNECT_ERROR) {
      const { data } = JSON.parse(rest);
      this.renew = data?.code === "not_signed_in";
      this.drop();
    }
  }

  // Returns the acknowledgement's data; throws the server's error (with `code`), or Lost when nobody answered.
  async call(name, body) {
    if (!this.isOpen) throw new Lost(name);
    const id = this.nextId++;
    const answer = await new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      setTimeout(() => reject(new Lost(name)), ACK_MS);
      this.socket.send(`${MESSAGE}${EVENT}${id}${JSON.stringify([name, body])}`);
    }).finally(() => this.waiting.delete(id));
    if (!answer?.ok) throw Object.assign(new Error(answer?.error?.detail ?? "The server gave no answer."), answer?.error);
    return answer.data;
  }

  drop() {
    const socket = this.socket;
    this.lose();
    socket?.close();
  }

  lose() {
    clearTimeout(this.watchdog);
    this.socket = null;
    this.isOpen = false;
    for (const one of this.waiting.values()) one.reject(new Lost("disconnected"));
    if (this.isClosed) return;
    this.on.lost();
    this.later();
  }

  later() {
    const pause = Math.min(MOST_MS, FIRST_MS * 2 ** this.tries++) * (0.5 + Math.random());
    this.timer = setTimeout(() => this.connect(), pause);
  }

  hurry() {
    if (this.timer === undefined || this.isClosed) return;
    clearTimeout(this.timer);
    this.tries = 0;
    this.connect();
  }

  watch() {
    clearTimeout(this.watchdog);
    const socket = this.socket;
    if (this.patience) this.watchdog = setTimeout(() => socket === this.socket && this.drop(), this.patience);
  }

  close() {
    this.isClosed = true;
    clearTimeout(this.timer);
    clearTimeout(this.watchdog);
    this.socket?.close();
  }
}
