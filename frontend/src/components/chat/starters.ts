export const STARTERS = [
  "What can you help me with?",
  "Plan a three-day walk in the mountains",
  "Explain how two people can share a secret in public",
  "Draft a kind reply that declines an invitation",
];

export const greeting = (name: string) => `Good to see you, ${name}.`;
