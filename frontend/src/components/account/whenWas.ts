/** A time by the user's own clock. */
export const whenWas = (time: string) =>
  new Date(time).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
