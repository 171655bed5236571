import type { Versions } from "@/hooks/useVersions";
import { IconButton } from "@/components/ui/IconButton";
import { NextIcon, PreviousIcon } from "@/components/ui/icons";
import styles from "./VersionSwitch.module.css";

interface VersionSwitchProps {
  count: number;
  versions: Versions;
}

export function VersionSwitch({ count, versions }: VersionSwitchProps) {
  const { number, isEarlier, isLoading, show } = versions;
  return (
    <div className={styles.versions}>
      <IconButton
        name="Previous version"
        icon={<PreviousIcon />}
        isDisabled={isLoading || number === 1}
        onClick={() => show(number - 1)}
      />
      <span aria-live="polite">
        <span className="visually-hidden">Version </span>
        {number} of {count}
        {isEarlier && ", an earlier one"}
      </span>
      <IconButton
        name="Next version"
        icon={<NextIcon />}
        isDisabled={isLoading || number === count}
        onClick={() => show(number + 1)}
      />
    </div>
  );
}
