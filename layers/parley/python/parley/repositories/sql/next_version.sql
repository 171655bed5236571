-- The number of the next version of a message; 1 for a message that is nobody's version.
create or replace function next_version(p_version_of uuid) returns int language sql stable
return (select coalesce(max(version), 0) + 1 from message where version_of = p_version_of);
