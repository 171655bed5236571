import { useState } from "react";
import { IconButton } from "./IconButton";
import { CheckIcon, CopyIcon } from "./icons";

interface CopyButtonProps {
  name: string;
  text: () => string;
  className?: string;
}

export function CopyButton({ name, text, className }: CopyButtonProps) {
  const [outcome, setOutcome] = useState<"copied" | "refused" | null>(null);
  const isCopied = outcome === "copied";

  // The clipboard exists in secure contexts only, so not on a page opened by a plain network address.
  if (!navigator.clipboard) return null;

  function copied() {
    setOutcome("copied");
    setTimeout(() => setOutcome((now) => (now === "copied" ? null : now)), 2_000);
  }

  function copy() {
    setOutcome(null);
    navigator.clipboard.writeText(text()).then(copied, () => setOutcome("refused"));
  }

  return (
    <>
      <IconButton
        className={className}
        name={isCopied ? "Copied" : name}
        icon={isCopied ? <CheckIcon /> : <CopyIcon />}
        onClick={copy}
      />
      {outcome === "refused" && (
        <p className="alert" role="alert">
          Your browser does not allow this page to copy. Select the text and copy it yourself.
        </p>
      )}
    </>
  );
}
