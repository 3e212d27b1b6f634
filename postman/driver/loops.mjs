// When a user's next iteration is due. harness/lambda_dyno/load/schedule.py makes the plans.
//
// A loop begins the users and is asked by each after an iteration: it answers with the moment
// of the next one (milliseconds since the test began), undefined (not known yet) or null (none).

/** So many users, each going on by itself for as long as it lives. */
export class ClosedLoop {
  countsWaits = false; // its own pace is part of a user
  #lifetimes;
  #pacingMs;

  constructor({ lifetimes_ms: lifetimes, pacing_ms: pacingMs }) {
    this.#lifetimes = lifetimes;
    this.#pacingMs = pacingMs;
  }

  get users() {
    return this.#lifetimes.length;
  }

  async run(users, clock) {
    await Promise.all(
      users.map(async (user, position) => {
        user.endMs = this.#lifetimes[position][1];
        await clock.until(this.#lifetimes[position][0]);
        user.begin(this.#lifetimes[position][0]);
        await user.ended;
      }),
    );
  }

  next(user, now) {
    const due = Math.max(now, user.dueMs + this.#pacingMs);
    return due < user.endMs ? due : null;
  }

  /** Nobody waits for a user here: each makes its own iterations. */
  unserved() {
    return [];
  }
}

/** Iterations that are due at planned moments; one that finds all users busy waits. */
export class OpenLoop {
  countsWaits = true; // whoever came did not come to wait
  #arrivals;
  #backlog = [];
  #idle = [];
  #over = false;
  users;

  constructor({ arrivals_ms: arrivals, users }) {
    this.#arrivals = arrivals;
    this.users = users;
  }

  async run(users, clock) {
    this.#idle = [...users];
    for (const due of this.#arrivals) {
      await clock.until(due);
      const user = this.#idle.shift();
      if (user) user.begin(due);
      else this.#backlog.push(due);
    }
    this.#over = true;
    if (!this.#backlog.length) this.#release();
    await Promise.all(users.map((user) => user.ended));
  }

  next(user) {
    if (this.#backlog.length) return this.#backlog.shift();
    if (this.#over) {
      this.#release();
      return null;
    }
    this.#idle.push(user);
    return undefined;
  }

  /** Lets those go who have nothing to do any more. */
  #release() {
    this.#idle.splice(0).forEach((user) => user.stop());
  }

  /** Ends the waiting; returns the moments that nobody came to. */
  unserved() {
    this.#over = true;
    return this.#backlog.splice(0);
  }
}

/** Users that wait, work for a turn at their pace, and wait for the next turn. */
export class TurnLoop {
  countsWaits = false; // its own pace is part of a user
  #pacingMs;
  #endMs = 0;
  #working = 0;
  #over;

  constructor(pacingMs) {
    this.#pacingMs = pacingMs;
  }

  /** One turn of some users; each begins at its own moment, within the first pace. */
  async turn(users, clock, durationMs) {
    this.#endMs = durationMs;
    this.#working = users.length;
    const over = new Promise((resolve) => {
      this.#over = resolve;
    });
    for (const { user, beginMs } of users) clock.until(beginMs).then(() => user.begin(beginMs));
    await over;
  }

  next(user, now) {
    const due = Math.max(now, user.dueMs + this.#pacingMs);
    if (due < this.#endMs) return due;
    this.#working -= 1;
    if (!this.#working) this.#over();
    return undefined; // until its next turn
  }
}

export function loopOf(plan) {
  return 'arrivals_ms' in plan ? new OpenLoop(plan) : new ClosedLoop(plan);
}

/** How much a plan asks for, to be compared with another part of it. */
export function amountOf({ arrivals_ms: arrivals, lifetimes_ms: lifetimes = [] }) {
  return arrivals?.length ?? lifetimes.reduce((sum, [begin, end]) => sum + end - begin, 0);
}

/** The part of a plan that one of several processes carries out. */
export function shareOf(plan, number, processes) {
  const mine = (list) => list.filter((_, position) => position % processes === number);
  if (!('arrivals_ms' in plan)) return { ...plan, lifetimes_ms: mine(plan.lifetimes_ms) };
  const users = Math.floor((plan.users + processes - 1 - number) / processes);
  return { ...plan, arrivals_ms: mine(plan.arrivals_ms), users };
}
