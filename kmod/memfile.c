// SPDX-License-Identifier: GPL-2.0
/*
 * A guest's memory as a file, for SIGMA_MEMORY_FD: offset 0 is the start of its first segment,
 * and the segments follow each other. A mapping has ordinary pages, which are mapped when they are
 * first touched, so that O_DIRECT, io_uring and vhost work on it.
 *
 * They are mapped in pages of 4 KiB, which costs 2 MiB of page tables for 1 GiB. Larger mappings
 * of pages that can be pinned need folios of 2 MiB: do_set_pmd() refuses any other (6.1, 6.12), and
 * memory.c takes single pages, since of a folio none could be given back while one of its pages is
 * pinned or has a memory error. vmf_insert_pfn_pmd() takes any page, but what it maps is special:
 * get_user_pages() refuses it (6.12), or takes it for a folio (6.1).
 *
 * A page with a memory error is not mapped. read() fails with EIO there, and survives an error that
 * nobody knew of yet.
 *
 * SIGMA_DESTROY fails while a file is open or mapped (sigma_guest.memory_files).
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/uio.h>

#include "shared/fault.h"
#include "guest.h"
#include "memfile.h"
#include "memory.h"

#define FAULT_PAGES	64UL		/* mapped around a fault */

static int insert_page(struct vm_area_struct *vma, unsigned long pgoff)
{
	struct sigma_guest *guest = vma->vm_private_data;
	struct page *page = sigma_memory_page(&guest->memory, (u64)pgoff << PAGE_SHIFT);

	if (!page)
		return -EFAULT;
	if (PageHWPoison(page))
		return -EHWPOISON;
	return vm_insert_page(vma, vma->vm_start + ((pgoff - vma->vm_pgoff) << PAGE_SHIFT), page);
}

static vm_fault_t memory_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long first = ALIGN_DOWN(vmf->pgoff, FAULT_PAGES);
	unsigned long pgoff = max(first, vma->vm_pgoff);
	unsigned long end = min(first + FAULT_PAGES, vma->vm_pgoff + vma_pages(vma));

	/* Map the neighbours, too, unless they are mapped; only the page itself must succeed */
	for (; pgoff < end; pgoff++)
		if (pgoff != vmf->pgoff)
			insert_page(vma, pgoff);

	switch (insert_page(vma, vmf->pgoff)) {
	case 0:
	case -EBUSY:		/* another thread faulted here, too */
		return VM_FAULT_NOPAGE;
	case -ENOMEM:
		return VM_FAULT_OOM;
	case -EHWPOISON:
		return VM_FAULT_HWPOISON;
	default:
		return VM_FAULT_SIGBUS;
	}
}

static const struct vm_operations_struct memory_vm_ops = {
	.fault = memory_fault,
};

static int memory_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct sigma_guest *guest = file->private_data;
	u64 pages = guest->memory.size >> PAGE_SHIFT;

	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (vma->vm_pgoff > pages || vma_pages(vma) > pages - vma->vm_pgoff)
		return -EINVAL;
	vm_flags_set(vma, VM_MIXEDMAP | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_private_data = guest;
	vma->vm_ops = &memory_vm_ops;
	return 0;
}

/* Copy up to the end of a page. Return: bytes, or -errno if there are none */
static ssize_t read_page(struct page *page, size_t at, struct iov_iter *to)
{
	size_t len = min(PAGE_SIZE - at, iov_iter_count(to)), copied = 0;

	if (!PageHWPoison(page))
		copied = _copy_mc_to_iter(page_address(page) + at, len, to);
	if (copied)
		return copied;
	return fault_in_iov_iter_writeable(to, 1) ? -EFAULT : -EIO;
}

static ssize_t memory_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct sigma_guest *guest = iocb->ki_filp->private_data;
	ssize_t done = 0, copied;
	struct page *page;

	while (iov_iter_count(to)) {
		page = sigma_memory_page(&guest->memory, iocb->ki_pos);
		if (!page)
			break;
		copied = fatal_signal_pending(current) ? -EINTR :
			 read_page(page, offset_in_page(iocb->ki_pos), to);
		if (copied < 0)
			return done ?: copied;
		iocb->ki_pos += copied;
		done += copied;
		cond_resched();
	}
	return done;
}

static loff_t memory_llseek(struct file *file, loff_t offset, int whence)
{
	struct sigma_guest *guest = file->private_data;

	return fixed_size_llseek(file, offset, whence, guest->memory.size);
}

static int memory_release(struct inode *inode, struct file *file)
{
	struct sigma_guest *guest = file->private_data;

	atomic_dec(&guest->memory_files);
	put_device(&guest->dev);
	return 0;
}

static const struct file_operations memory_fops = {
	.owner		= THIS_MODULE,
	.mmap		= memory_mmap,
	.read_iter	= memory_read_iter,
	.llseek		= memory_llseek,
	.release	= memory_release,
};

int sigma_memfile_open(struct sigma_guest *guest)
{
	struct file *file;
	int fd = get_unused_fd_flags(O_CLOEXEC);

	if (fd < 0)
		return fd;
	get_device(&guest->dev);
	atomic_inc(&guest->memory_files);
	file = sigma_fault() ? ERR_PTR(-ENOMEM) :
	       anon_inode_getfile("[sigma-memory]", &memory_fops, guest, O_RDWR);
	if (IS_ERR(file)) {
		atomic_dec(&guest->memory_files);
		put_device(&guest->dev);
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	file->f_mode |= FMODE_PREAD;
	fd_install(fd, file);
	return fd;
}
