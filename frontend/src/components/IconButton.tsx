import type { ReactNode, Ref } from "react";

interface IconButtonProps {
  ref?: Ref<HTMLButtonElement>;
  name: string;
  icon: ReactNode;
  isDisabled?: boolean;
  className?: string;
  onClick: () => void;
}

/** `aria-disabled`, not `disabled`: the focus stays on the button while there is nothing it can do. */
export function IconButton(props: IconButtonProps) {
  const { ref, name, icon, isDisabled = false, className = "", onClick } = props;
  return (
    <button
      ref={ref}
      type="button"
      className={`icon-button ${className}`}
      aria-label={name}
      title={name}
      aria-disabled={isDisabled}
      onClick={isDisabled ? undefined : onClick}
    >
      {icon}
    </button>
  );
}
