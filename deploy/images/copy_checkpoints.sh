#!/bin/sh
# Copies each checkpoint, a folder of SOURCE, into TARGET, unless TARGET has one of that name. Of those
# that SOURCE does not have, the one used last stays, for a way back; the others make room before.
#
#   copy_checkpoints.sh SOURCE TARGET
set -eu

source=$1
target=$2

# Of a start that was interrupted.
rm -rf "$target/.copying" "$target/.removing"

remove() { # NAME
  # Half a checkpoint must not have its name.
  mv "$target/$1" "$target/.removing"
  rm -rf "$target/.removing"
  echo "copy_checkpoints: removed $target/$1"
}

# A checkpoint's time is that of its last use: each start of an image that has it sets it. Debian's sh
# knows -nt.
previous=
for checkpoint in "$target"/*/; do
  name=$(basename "$checkpoint")
  if [ ! -d "$checkpoint" ] || [ -d "$source/$name" ] || [ "$name" = lost+found ]; then
    continue
  fi
  if [ -z "$previous" ]; then
    previous=$name
  elif [ "$target/$name" -nt "$target/$previous" ]; then
    remove "$previous"
    previous=$name
  else
    remove "$name"
  fi
done

for checkpoint in "$source"/*/; do
  name=$(basename "$checkpoint")
  if [ -d "$target/$name" ]; then
    touch "$target/$name"
    echo "copy_checkpoints: $target/$name is there"
    continue
  fi
  cp -R "$checkpoint" "$target/.copying"
  # On the disk before the name says so: a node may go down at any time.
  sync
  mv "$target/.copying" "$target/$name"
  echo "copy_checkpoints: copied $target/$name"
done
