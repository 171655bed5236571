import type { ReactNode, Ref } from "react";

interface IconButtonProps {
  ref?: Ref<HTMLButtonElement>;
  name: string;
  icon: ReactNode;
  isDisabled?: boolean;
  /** For toggle buttons. The name stays the same in both states. */
  isPressed?: boolean;
  className?: string;
  onClick: () => void;
}

/** `aria-disabled`, not `disabled`, so that a disabled button keeps the focus. */
export function IconButton(props: IconButtonProps) {
  const { ref, name, icon, isDisabled = false, isPressed, className = "", onClick } = props;
  return (
    <button
      ref={ref}
      type="button"
      className={`icon-button ${className}`}
      aria-label={name}
      title={name}
      aria-disabled={isDisabled}
      aria-pressed={isPressed}
      onClick={isDisabled ? undefined : onClick}
    >
      {icon}
    </button>
  );
}
