import type { ReactNode } from "react";

function icon(path: ReactNode) {
  return function Icon() {
    return (
      <svg
        viewBox="0 0 24 24"
        width="18"
        height="18"
        fill="none"
        stroke="currentColor"
        strokeWidth="1.75"
        strokeLinecap="round"
        strokeLinejoin="round"
        aria-hidden="true"
      >
        {path}
      </svg>
    );
  };
}

export const PlusIcon = icon(<path d="M12 5v14M5 12h14" />);
export const MenuIcon = icon(<path d="M4 7h16M4 12h16M4 17h10" />);
export const CloseIcon = icon(<path d="M6 6l12 12M18 6L6 18" />);
export const PencilIcon = icon(<path d="M4 20l4.5-1L19 8.5 15.5 5 5 15.5 4 20zM13.5 7l3.5 3.5" />);
export const TrashIcon = icon(
  <path d="M4.5 7h15M9.5 7V4.5h5V7M6.5 7l1 12.5h9l1-12.5M10.5 11v5M13.5 11v5" />,
);
export const SendIcon = icon(<path d="M12 19V5M6 11l6-6 6 6" />);
export const StopIcon = icon(
  <rect x="7" y="7" width="10" height="10" rx="1.5" fill="currentColor" />,
);
export const RetryIcon = icon(<path d="M19 12a7 7 0 1 1-2.2-5.1M19 4v4.5h-4.5" />);
export const PreviousIcon = icon(<path d="M14.5 6L8.5 12l6 6" />);
export const ExpandIcon = icon(<path d="M6 9.5l6 6 6-6" />);
export const NextIcon = icon(<path d="M9.5 6l6 6-6 6" />);
export const CopyIcon = icon(<path d="M9 9h10v11H9zM15 9V4H5v11h4" />);
export const CheckIcon = icon(<path d="M5 12.5l4.5 4.5L19 7.5" />);
export const GoodIcon = icon(
  <path d="M8 10.5l3.5-7a2 2 0 0 1 2 2.25l-.5 3.75h4.75a2 2 0 0 1 2 2.4l-1.25 6a2 2 0 0 1-2 1.6H8M4.5 10.5H8v9H4.5z" />,
);
export const BadIcon = icon(
  <path d="M16 13.5l-3.5 7a2 2 0 0 1-2-2.25l.5-3.75H6.25a2 2 0 0 1-2-2.4l1.25-6a2 2 0 0 1 2-1.6H16M19.5 13.5H16v-9h3.5z" />,
);
export const ToolIcon = icon(
  <path d="M14.5 6.5a4 4 0 0 1 5-1l-2.5 2.5 1.5 1.5L21 7a4 4 0 0 1-5.5 5L8 19.5 4.5 16 12 8.5a4 4 0 0 1 2.5-2z" />,
);
export const SignOutIcon = icon(<path d="M14 4.5H6v15h8M10.5 12H20M16.5 8.5L20 12l-3.5 3.5" />);
export const AccountIcon = icon(
  <path d="M12 12.5a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20a7.5 7.5 0 0 1 15 0" />,
);
export const WrapIcon = icon(
  <path d="M4 6.5h16M4 12h13a3 3 0 0 1 0 6h-3.5M15.5 16l-2 2 2 2M4 18h5" />,
);
