// SPDX-License-Identifier: GPL-2.0
/*
 * Memory objects as files that programs map: see object.h.
 *
 * Each has an inode of its own, so that all its mappings can be found and emptied, as those of a
 * dma-buf. Pages are mapped by number when they are touched: nobody can pin them (get_user_pages()
 * refuses such mappings), and once the page table entries are gone, nobody has them.
 *
 * set->lock is held from looking whether an object is void, or where it is, until its page is mapped,
 * and for the change and the unmapping. So no page is mapped after that. It is taken in a page fault,
 * under mmap_lock; user memory is not touched under it.
 */
#include <linux/device.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/poll.h>
#include <linux/pseudo_fs.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "fault.h"
#include "object.h"

#define FAULT_PAGES	64UL		/* mapped around a fault */
#define OBJECT_FS_MAGIC	0x53474d4f	/* "SGMO" */

static struct vfsmount *object_mount;
static int object_mounted;		/* how many files need it */

static int object_fs_init(struct fs_context *context)
{
	return init_pseudo(context, OBJECT_FS_MAGIC) ? 0 : -ENOMEM;
}

static struct file_system_type object_fs = {
	.name			= "iosc-object",
	.owner			= THIS_MODULE,
	.init_fs_context	= object_fs_init,
	.kill_sb		= kill_anon_super,
};

/* Mappings */

void sigma_object_unmap(struct sigma_object *object)
{
	unmap_mapping_range(object->file->f_mapping, 0, 0, 1);
}

/* Return: the page at @pgoff; 0: none */
static unsigned long pfn_at(const struct sigma_object *object, unsigned long pgoff)
{
	if (object->is_void)
		return object->zeroes ? page_to_pfn(object->zeroes) : 0;
	if (object->taken)
		return PHYS_PFN(object->phys) + pgoff;
	if (object->range)
		return PHYS_PFN(sigma_range_phys(object->set, object->range)) + pgoff;
	return vmalloc_to_pfn(object->private + (pgoff << PAGE_SHIFT));
}

void sigma_object_void(struct sigma_object *object)
{
	WRITE_ONCE(object->is_void, true);
	sigma_object_unmap(object);
}

static vm_fault_t map_page(struct vm_area_struct *vma, const struct sigma_object *object,
			   unsigned long pgoff)
{
	unsigned long pfn = pfn_at(object, pgoff);

	if (!pfn)
		return VM_FAULT_SIGBUS;
	if (pfn_valid(pfn) && PageHWPoison(pfn_to_page(pfn)))
		return VM_FAULT_HWPOISON;
	return vmf_insert_pfn(vma, vma->vm_start + ((pgoff - vma->vm_pgoff) << PAGE_SHIFT), pfn);
}

static vm_fault_t object_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct sigma_object *object = vma->vm_file->private_data;
	unsigned long first = ALIGN_DOWN(vmf->pgoff, FAULT_PAGES);
	unsigned long pgoff = max(first, vma->vm_pgoff);
	unsigned long end = min(first + FAULT_PAGES, vma->vm_pgoff + vma_pages(vma));
	vm_fault_t ret;

	mutex_lock(&object->set->lock);
	ret = map_page(vma, object, vmf->pgoff);
	/* The neighbours, too, where that works */
	for (; ret == VM_FAULT_NOPAGE && pgoff < end; pgoff++)
		if (pgoff != vmf->pgoff)
			map_page(vma, object, pgoff);
	mutex_unlock(&object->set->lock);
	return ret;
}

static const struct vm_operations_struct object_vm_ops = {
	.fault = object_fault,
};

static int object_mmap(struct file *file, struct vm_area_struct *vma)
{
	const struct sigma_object *object = file->private_data;
	unsigned long pages = object->size >> PAGE_SHIFT;

	if (!(vma->vm_flags & VM_SHARED) || vma->vm_pgoff > pages ||
	    vma_pages(vma) > pages - vma->vm_pgoff)
		return -EINVAL;
	if (!object->writable) {
		if (vma->vm_flags & VM_WRITE)
			return -EPERM;
		vm_flags_clear(vma, VM_MAYWRITE);
	}
	vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_ops = &object_vm_ops;
	return 0;
}

/* Files */

static __poll_t object_poll(struct file *file, poll_table *pt)
{
	struct sigma_object *object = file->private_data;

	poll_wait(file, &object->set->wait, pt);
	return READ_ONCE(object->is_void) ? EPOLLHUP | EPOLLERR : 0;
}

static void object_show(struct seq_file *seq, struct file *file)
{
	const struct sigma_object *object = file->private_data;

	seq_printf(seq, "iosc-object:\t%s\niosc-size:\t%llu\niosc-void:\t%u\n",
		   object->taken ? "taken" : "own", object->size, READ_ONCE(object->is_void));
}

/* No mapping is left, since each has the file */
static int object_release(struct inode *inode, struct file *file)
{
	struct sigma_object *object = file->private_data;
	struct sigma_objects *set = object->set;

	mutex_lock(&set->lock);
	list_del(&object->list);
	sigma_grants_drop(object);
	if (!object->taken)
		set->room += object->size >> PAGE_SHIFT;
	sigma_range_put(set, object->range);
	mutex_unlock(&set->lock);
	vfree(object->private);
	if (object->zeroes)
		__free_page(object->zeroes);
	kfree(object);
	put_device(set->parent);
	simple_release_fs(&object_mount, &object_mounted);
	return 0;
}

static const struct file_operations object_fops = {
	.owner		= THIS_MODULE,
	.mmap		= object_mmap,
	.poll		= object_poll,
	.show_fdinfo	= object_show,
	.release	= object_release,
};

struct sigma_object *sigma_object_of(const struct file *file)
{
	struct sigma_object *object = file->f_op == &object_fops ? file->private_data : NULL;

	return object && !object->taken ? object : NULL;
}

int sigma_object_file(struct sigma_object *object)
{
	struct sigma_objects *set = object->set;
	struct inode *inode;
	struct file *file;
	int err;

	err = sigma_fault() ?: simple_pin_fs(&object_fs, &object_mount, &object_mounted);
	if (err)
		return err;
	inode = sigma_fault_ptr() ?: alloc_anon_inode(object_mount->mnt_sb);
	if (IS_ERR(inode)) {
		err = PTR_ERR(inode);
		goto release_fs;
	}
	i_size_write(inode, object->size);
	/* fput() gives it back */
	__module_get(THIS_MODULE);
	file = sigma_fault_ptr() ?:
	       alloc_file_pseudo(inode, object_mount, "iosc-object", O_RDWR, &object_fops);
	if (IS_ERR(file)) {
		err = PTR_ERR(file);
		goto put_inode;
	}
	file->private_data = object;
	object->file = file;
	get_device(set->parent);
	mutex_lock(&set->lock);
	object->is_void |= set->gone;
	list_add(&object->list, &set->objects);
	mutex_unlock(&set->lock);
	return 0;

put_inode:
	module_put(THIS_MODULE);
	iput(inode);
release_fs:
	simple_release_fs(&object_mount, &object_mounted);
	return err;
}
