//! The simulated disk as the store sees it.

use super::*;

impl File for SimFile {
    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        let mut inside = self.disk.0.lock();
        inside.step(Class::Look, "read", &self.path)?;
        let found = usize::try_from(offset).ok().and_then(|at| inside.inodes[self.inode].now.get(at..)?.get(..into.len()));
        into.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut inside = self.disk.0.lock();
        let was_dead = inside.dead;
        let verdict = inside.step(Class::Grow, "write", &self.path);
        let len = match verdict {
            Ok(true) => bytes.len(),
            _ if was_dead => 0,
            _ => inside.dice.below(bytes.len() + 1),
        };
        let start = usize::try_from(offset).map_err(|_| error(EIO))?;
        let skip = inside.lie == Lie::Overwrite && start + len <= inside.inodes[self.inode].now.len();
        if !skip && len > 0 {
            let inode = &mut inside.inodes[self.inode];
            let before = inode.now.len();
            if before < start + len {
                inode.now.resize(start + len, 0);
            }
            inode.now[start..start + len].copy_from_slice(&bytes[..len]);
            inode.touch(start.min(before), start + len);
        }
        match verdict {
            Ok(true) => Ok(()),
            Ok(false) => Err(error(EIO)),
            Err(error) => Err(error),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut inside = self.disk.0.lock();
        match inside.step(Class::Sync, "sync", &self.path) {
            Ok(true) => {}
            Ok(false) => return Err(error(EIO)),
            Err(failed) => {
                if inside.lost_now() {
                    inside.strand(self.inode);
                }
                return Err(failed_sync(failed));
            }
        }
        let is_tmp = self.path.extension().is_some_and(|end| end == "tmp");
        if inside.lie != Lie::SyncData && !(inside.lie == Lie::RenameBeforeData && is_tmp) {
            inside.inodes[self.inode].make_durable();
        }
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        let mut inside = self.disk.0.lock();
        inside.step(Class::Look, "length", &self.path)?;
        Ok(inside.inodes[self.inode].now.len() as u64)
    }

    fn reserve(&self, len: u64) -> io::Result<()> {
        let mut inside = self.disk.0.lock();
        if !inside.step(Class::Grow, "reserve", &self.path)? {
            return Err(error(EIO));
        }
        let inode = &mut inside.inodes[self.inode];
        let len = usize::try_from(len).map_err(|_| error(ENOSPC))?.max(inode.now.len());
        inode.now.resize(len, 0);
        Ok(())
    }

    fn try_lock(&self) -> io::Result<bool> {
        let mut inside = self.disk.0.lock();
        inside.step(Class::Look, "lock", &self.path)?;
        if std::mem::replace(&mut inside.inodes[self.inode].locked, true) {
            return Ok(false);
        }
        self.locks.store(true, Ordering::SeqCst);
        Ok(true)
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        if self.locks.load(Ordering::SeqCst) {
            self.disk.0.lock().inodes[self.inode].locked = false;
        }
    }
}

#[derive(Debug)]
struct SimLock(SimDisk, usize);

impl LockedFolder for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.0.0.lock().folders[self.1].locked = false;
    }
}

impl SimDisk {
    fn opened(&self, inode: usize, path: &Path) -> Arc<dyn File> {
        Arc::new(SimFile { disk: self.clone(), inode, path: path.to_owned(), locks: AtomicBool::new(false) })
    }

    fn change<T>(&self, class: Class, what: &str, path: &Path, change: impl FnOnce(&mut Inside) -> io::Result<T>) -> io::Result<T> {
        let mut inside = self.0.lock();
        // A change of names that the end of the process or of the power meets has happened or not.
        let whole = inside.step(class, what, path)?;
        if !whole && inside.dice.one_in(2) {
            return Err(error(EIO));
        }
        let changed = change(&mut inside)?;
        if whole { Ok(changed) } else { Err(error(EIO)) }
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>> {
        let class = if matches!(how, Open::Read | Open::Write) { Class::Look } else { Class::Grow };
        let inode = self.change(class, "open", path, |inside| {
            let found = inside.file(path);
            match (found, how) {
                (Ok(_), Open::CreateNew) => Err(io::ErrorKind::AlreadyExists.into()),
                (Ok(file), Open::Truncate) => {
                    let inode = &mut inside.inodes[file];
                    let old = std::mem::take(&mut inode.now);
                    if !old.is_empty() {
                        let durable = inode.durable.clone();
                        inode.ghosts.extend([old, durable]);
                    }
                    inode.dirty.clear();
                    inode.stranded.clear();
                    Ok(file)
                }
                (Ok(file), _) => Ok(file),
                (Err(missing), Open::Read | Open::Write) => Err(missing),
                (Err(missing), _) if missing.kind() != io::ErrorKind::NotFound => Err(missing),
                (Err(_), _) => {
                    let dir = inside.dir(path.parent().ok_or_else(not_found)?)?;
                    inside.inodes.push(Inode { name: path.to_string_lossy().into_owned(), ..Inode::default() });
                    let file = inside.inodes.len() - 1;
                    inside.name(dir, &last_name(path), Some(Node::File(file)));
                    Ok(file)
                }
            }
        })?;
        Ok(self.opened(inode, path))
    }

    fn lock_folder(&self, path: &Path) -> io::Result<Option<FolderLock>> {
        let mut inside = self.0.lock();
        let dir = inside.dir(path)?;
        let was_locked = std::mem::replace(&mut inside.folders[dir].locked, true);
        Ok(if was_locked { None } else { Some(Arc::new(SimLock(self.clone(), dir))) })
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut inside = self.0.lock();
        inside.step(Class::Look, "read", path)?;
        let file = inside.file(path)?;
        Ok(inside.inodes[file].now.clone())
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        let mut inside = self.0.lock();
        inside.step(Class::Look, "length", path)?;
        let file = inside.file(path)?;
        Ok(inside.inodes[file].now.len() as u64)
    }

    fn exists(&self, path: &Path) -> bool {
        self.0.lock().find(path).is_some()
    }

    fn is_dir(&self, path: &Path) -> bool {
        matches!(self.0.lock().find(path), Some(Node::Dir(_)))
    }

    fn names(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut inside = self.0.lock();
        inside.step(Class::Look, "list", path)?;
        let dir = inside.dir(path)?;
        Ok(inside.folders[dir].now.keys().cloned().collect())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(Class::Change, "rename", to, |inside| {
            let node = inside.find(from).ok_or_else(not_found)?;
            let source = inside.dir(from.parent().ok_or_else(not_found)?)?;
            let target = inside.dir(to.parent().ok_or_else(not_found)?)?;
            inside.name(target, &last_name(to), Some(node));
            inside.name(source, &last_name(from), None);
            if inside.lie == Lie::RenameBeforeData {
                inside.sync_folder(target);
            }
            Ok(())
        })
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.change(Class::Change, "remove", path, |inside| {
            inside.file(path)?;
            let dir = inside.dir(path.parent().ok_or_else(not_found)?)?;
            inside.name(dir, &last_name(path), None);
            Ok(())
        })
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        let below = self.names(path)?;
        for name in below {
            let path = path.join(name);
            if self.is_dir(&path) { self.remove_dir_all(&path)? } else { self.remove_file(&path)? }
        }
        self.change(Class::Change, "rmdir", path, |inside| {
            let dir = inside.dir(path.parent().ok_or_else(not_found)?)?;
            inside.name(dir, &last_name(path), None);
            Ok(())
        })
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        if self.is_dir(path) {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.create_dir_all(parent)?;
        }
        self.change(Class::Grow, "mkdir", path, |inside| {
            let dir = inside.dir(path.parent().ok_or_else(not_found)?)?;
            inside.folders.push(Folder::default());
            let made = inside.folders.len() - 1;
            inside.name(dir, &last_name(path), Some(Node::Dir(made)));
            Ok(())
        })
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut inside = self.0.lock();
        if !inside.step(Class::Sync, "sync folder", path).map_err(failed_sync)? {
            return Err(error(EIO));
        }
        let dir = inside.dir(path)?;
        if inside.lie != Lie::SyncDir {
            inside.sync_folder(dir);
        }
        Ok(())
    }

    fn sync_all(&self, path: &Path) -> io::Result<()> {
        let mut inside = self.0.lock();
        match inside.step(Class::Sync, "sync all", path) {
            Ok(true) => {}
            Ok(false) => return Err(error(EIO)),
            Err(failed) => {
                if inside.lost_now() {
                    (0..inside.inodes.len()).for_each(|inode| inside.strand(inode));
                }
                return Err(failed_sync(failed));
            }
        }
        if inside.lie != Lie::SyncAll {
            for dir in 0..inside.folders.len() {
                inside.sync_folder(dir);
            }
            inside.inodes.iter_mut().for_each(Inode::make_durable);
        }
        Ok(())
    }

    fn free_space(&self, path: &Path) -> io::Result<u64> {
        let mut inside = self.0.lock();
        inside.step(Class::Look, "statvfs", path)?;
        Ok(inside.free)
    }

    fn outside(&self, _: &Path) -> Option<PathBuf> {
        None
    }
}
