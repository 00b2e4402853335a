#!/bin/sh
# Copies each checkpoint, a folder of SOURCE, into TARGET, unless TARGET has one of that name.
#
#   copy_checkpoints.sh SOURCE TARGET
set -eu

for checkpoint in "$1"/*/; do
  name=$(basename "$checkpoint")
  if [ -d "$2/$name" ]; then
    echo "copy_checkpoints: $2/$name is there"
    continue
  fi
  rm -rf "$2/.copying" # of a start that was interrupted
  cp -R "$checkpoint" "$2/.copying"
  # On the disk before the name says so: a node may go down at any time.
  sync
  mv "$2/.copying" "$2/$name"
  echo "copy_checkpoints: copied $2/$name"
done
