import { useState } from "react";
import { IconButton } from "./IconButton";
import { CheckIcon, CopyIcon } from "./icons";

interface CopyButtonProps {
  name: string;
  text: () => string;
  className?: string;
}

export function CopyButton({ name, text, className }: CopyButtonProps) {
  const [isCopied, setCopied] = useState(false);

  // The clipboard exists in secure contexts only, so not on a page opened by a plain network address.
  if (!navigator.clipboard) return null;

  async function copy() {
    await navigator.clipboard.writeText(text());
    setCopied(true);
    setTimeout(() => setCopied(false), 2_000);
  }

  return (
    <IconButton
      className={className}
      name={isCopied ? "Copied" : name}
      icon={isCopied ? <CheckIcon /> : <CopyIcon />}
      onClick={copy}
    />
  );
}
