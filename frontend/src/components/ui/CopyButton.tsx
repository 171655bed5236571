import { use, useState } from "react";
import { IconButton } from "./IconButton";
import { CheckIcon, CopyIcon } from "./icons";
import { ProblemContext } from "./ProblemContext";

const REFUSED =
  "Your browser does not allow this page to copy. Select the text and copy it yourself.";

interface CopyButtonProps {
  name: string;
  text: () => string;
  className?: string;
}

export function CopyButton({ name, text, className }: CopyButtonProps) {
  const [isCopied, setCopied] = useState(false);
  const showProblem = use(ProblemContext);

  // The clipboard exists in secure contexts only, so not on a page opened by a plain network address.
  if (!navigator.clipboard) return null;

  function confirm() {
    setCopied(true);
    setTimeout(() => setCopied(false), 2_000);
  }

  return (
    <IconButton
      className={className}
      name={isCopied ? "Copied" : name}
      icon={isCopied ? <CheckIcon /> : <CopyIcon />}
      onClick={() =>
        void navigator.clipboard.writeText(text()).then(confirm, () => showProblem(REFUSED))
      }
    />
  );
}
