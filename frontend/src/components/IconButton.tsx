import type { ReactNode, Ref } from "react";

interface IconButtonProps {
  ref?: Ref<HTMLButtonElement>;
  name: string;
  icon: ReactNode;
  isDisabled?: boolean;
  /** Of a button that stays pressed; its name does not change with it. */
  isPressed?: boolean;
  className?: string;
  onClick: () => void;
}

/** `aria-disabled`, not `disabled`: the focus stays on the button while there is nothing it can do. */
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
