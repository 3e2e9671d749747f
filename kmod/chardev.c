// SPDX-License-Identifier: GPL-2.0
/*
 * The character devices: /dev/sigma/control and one /dev/sigma/NAME per guest.
 * uapi/sigma.h documents them.
 *
 * An open file holds a reference to its guest's device, and so to the IOSC window, but does not
 * keep the guest: once it is destroyed, read, write and ioctl fail with ENODEV.
 */
#include <linux/capability.h>
#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "shared/fault.h"
#include "chardev.h"
#include "create.h"
#include "guest.h"
#include "iosc.h"
#include "memfile.h"
#include "pool.h"
#include "suspend.h"
#include "sysfs.h"

#define MINORS		256
#define CONTROL_MINOR	0

static dev_t first_devt;
static DEFINE_IDA(minors);
static struct cdev control_cdev;
static struct device *control_device;

static char *sigma_devnode(SIGMA_DEVNODE_CONST struct device *dev, umode_t *mode)
{
	return kasprintf(GFP_KERNEL, "sigma/%s", dev_name(dev));
}

static struct class sigma_class = {
	.name		= "sigma",
	.devnode	= sigma_devnode,
};

/* /dev/sigma/NAME */

/**
 * struct guest_file - one open file
 * @guest: its guest
 * @seen: sigma_guest.state_seq when this file last did SIGMA_GET_INFO, at first -1
 */
struct guest_file {
	struct sigma_guest *guest;
	int seen;
};

static int guest_open(struct inode *inode, struct file *file)
{
	struct sigma_guest *guest = container_of(inode->i_cdev, struct sigma_guest, cdev);
	struct guest_file *gf = sigma_fault() ? NULL : kzalloc(sizeof(*gf), GFP_KERNEL);

	if (!gf)
		return -ENOMEM;
	get_device(&guest->dev);
	gf->guest = guest;
	gf->seen = -1;
	file->private_data = gf;
	return stream_open(inode, file);
}

static int guest_release(struct inode *inode, struct file *file)
{
	struct guest_file *gf = file->private_data;

	put_device(&gf->guest->dev);
	kfree(gf);
	return 0;
}

/* Return: the length of one message, 0 when there is none, -EPROTO when the ring is broken */
static int receive(struct sigma_guest *guest, void *msg)
{
	int len;

	mutex_lock(&guest->iosc.rx_lock);
	len = sigma_ring_get(&guest->iosc.rx, msg);
	mutex_unlock(&guest->iosc.rx_lock);
	if (len > 0)	/* the ring has room again, and the guest may be waiting for it */
		sigma_doorbell_ring(&guest->iosc.doorbell_tx, SIGMA_DOORBELL_CONTROL);
	return len;
}

static ssize_t guest_read(struct file *file, char __user *buf, size_t count, loff_t *pos)
{
	struct sigma_guest *guest = ((struct guest_file *)file->private_data)->guest;
	u8 msg[SIGMA_MSG_MAX];
	int len, err;

	if (count < SIGMA_MSG_MAX)
		return -EINVAL;

	for (;;) {
		if (READ_ONCE(guest->gone))
			return -ENODEV;
		len = receive(guest, msg);
		if (len)
			break;
		if (!sigma_guest_lives(guest))
			return -EPIPE;
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(guest->wait,
					       sigma_ring_waiting(&guest->iosc.rx) ||
					       !sigma_guest_lives(guest) ||
					       READ_ONCE(guest->gone));
		if (err)
			return err;
	}
	if (len < 0)
		return len;
	return copy_to_user(buf, msg, len) ? -EFAULT : len;
}

static ssize_t guest_write(struct file *file, const char __user *buf, size_t count, loff_t *pos)
{
	struct sigma_guest *guest = ((struct guest_file *)file->private_data)->guest;
	u8 msg[SIGMA_MSG_MAX];
	int err;

	if (!count || count > SIGMA_MSG_MAX)
		return -EMSGSIZE;
	if (copy_from_user(msg, buf, count))
		return -EFAULT;

	for (;;) {
		if (READ_ONCE(guest->gone))
			return -ENODEV;
		if (!sigma_guest_lives(guest))
			return -EPIPE;
		err = sigma_iosc_send(&guest->iosc, msg, count);
		if (err != -ENOSPC)
			return err ?: count;
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(guest->wait,
					       sigma_ring_room(&guest->iosc.tx) ||
					       !sigma_guest_lives(guest) ||
					       READ_ONCE(guest->gone));
		if (err)
			return err;
	}
}

static __poll_t guest_poll(struct file *file, poll_table *pt)
{
	struct guest_file *gf = file->private_data;
	struct sigma_guest *guest = gf->guest;
	__poll_t events = 0;

	poll_wait(file, &guest->wait, pt);
	if (READ_ONCE(guest->gone))
		return EPOLLERR | EPOLLHUP;
	if (sigma_ring_waiting(&guest->iosc.rx))
		events |= EPOLLIN | EPOLLRDNORM;
	if (sigma_guest_lives(guest) && sigma_ring_room(&guest->iosc.tx))
		events |= EPOLLOUT | EPOLLWRNORM;
	if (READ_ONCE(gf->seen) != atomic_read(&guest->state_seq))
		events |= EPOLLPRI;
	return events;
}

static int guest_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct sigma_guest *guest = ((struct guest_file *)file->private_data)->guest;

	if (!(vma->vm_flags & VM_MAYSHARE) || vma->vm_pgoff ||
	    vma->vm_end - vma->vm_start != SIGMA_IOSC_SIZE)
		return -EINVAL;
	/* Only the two kernels may write to the window: each takes its contents for the other's */
	if (vma->vm_flags & VM_WRITE)
		return -EPERM;
	vm_flags_clear(vma, VM_MAYWRITE);
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	return remap_pfn_range(vma, vma->vm_start, PHYS_PFN(guest->view.iosc_phys),
			       SIGMA_IOSC_SIZE, vma->vm_page_prot);
}

static int ioctl_get_info(struct guest_file *gf, void __user *arg)
{
	struct sigma_info *info = sigma_fault() ? NULL : kzalloc(sizeof(*info), GFP_KERNEL);
	int err;

	if (!info)
		return -ENOMEM;
	/* In this order: a change in between raises EPOLLPRI again, and is never missed */
	WRITE_ONCE(gf->seen, atomic_read(&gf->guest->state_seq));
	sigma_guest_info(gf->guest, info);
	err = copy_to_user(arg, info, sizeof(*info)) ? -EFAULT : 0;
	kfree(info);
	return err;
}

static int ioctl_start(struct sigma_guest *guest, void __user *arg)
{
	struct sigma_start start;

	if (copy_from_user(&start, arg, sizeof(start)))
		return -EFAULT;
	return sigma_suspend_start(guest, &start);
}

static int ioctl_panic(struct sigma_guest *guest, void __user *arg)
{
	struct sigma_panic panic;

	if (copy_from_user(&panic, arg, sizeof(panic)))
		return -EFAULT;
	panic.text[sizeof(panic.text) - 1] = '\0';
	return sigma_guest_panic(guest, &panic);
}

static int ioctl_wake(struct sigma_guest *guest, struct sigma_wake __user *argp)
{
	struct sigma_wake wake;
	int err;

	if (copy_from_user(&wake, argp, sizeof(wake)))
		return -EFAULT;
	if (wake.flags)
		return -EINVAL;
	memset(&wake.why, 0, sizeof(wake.why));
	err = sigma_guest_wake(guest, &wake.why);
	/* A guest that was woken runs, whether or not the caller can be told */
	if (err && copy_to_user(&argp->why, &wake.why, sizeof(wake.why)))
		return -EFAULT;
	return err;
}

static int ioctl_set_suspend(struct sigma_guest *guest, void __user *arg)
{
	struct sigma_suspend_policy args;

	if (copy_from_user(&args, arg, sizeof(args)))
		return -EFAULT;
	if (args.policy > SIGMA_SUSPEND_STOP || args.reserved)
		return -EINVAL;
	return sigma_suspend_set(guest, args.policy);
}

static int ioctl_set_shared(struct sigma_guest *guest, void __user *arg)
{
	struct sigma_shared args;

	if (copy_from_user(&args, arg, sizeof(args)))
		return -EFAULT;
	return sigma_guest_set_shared(guest, &args);
}

static int ioctl_get_wake_failure(struct sigma_guest *guest, void __user *arg)
{
	struct sigma_wake_failure failure;

	sigma_suspend_failure(guest, &failure);
	return copy_to_user(arg, &failure, sizeof(failure)) ? -EFAULT : 0;
}

static int ioctl_get_violation(struct sigma_guest *guest, void __user *arg)
{
	struct sigma_violation violation;

	sigma_guest_violation(guest, &violation);
	return copy_to_user(arg, &violation, sizeof(violation)) ? -EFAULT : 0;
}

static int ioctl_get_nodes(struct sigma_guest *guest, void __user *arg)
{
	struct sigma_nodes *nodes = sigma_fault() ? NULL : kzalloc(sizeof(*nodes), GFP_KERNEL);
	int err;

	if (!nodes)
		return -ENOMEM;
	sigma_guest_nodes(guest, nodes);
	err = copy_to_user(arg, nodes, sizeof(*nodes)) ? -EFAULT : 0;
	kfree(nodes);
	return err;
}

static int ioctl_bind(struct sigma_guest *guest, void __user *arg,
		      int (*bind)(struct sigma_iosc *iosc, unsigned int doorbell, int fd))
{
	struct sigma_eventfd args;
	int err;

	if (copy_from_user(&args, arg, sizeof(args)))
		return -EFAULT;
	mutex_lock(&guest->lock);
	err = guest->gone ? -ENODEV : bind(&guest->iosc, args.doorbell, args.fd);
	mutex_unlock(&guest->lock);
	return err;
}

static int ioctl_memory_fd(struct sigma_guest *guest)
{
	int fd;

	mutex_lock(&guest->lock);
	fd = guest->gone ? -ENODEV : sigma_memfile_open(guest);
	mutex_unlock(&guest->lock);
	return fd;
}

/* A copy in between: a fault on user memory may sleep for long, and stopping needs the lock */
static int ioctl_read_low(struct sigma_guest *guest, void __user *arg)
{
	struct sigma_low low;
	void *copy;
	int err;

	if (copy_from_user(&low, arg, sizeof(low)))
		return -EFAULT;
	copy = sigma_fault() ? NULL : kmalloc(SIGMA_LOW_SIZE, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	mutex_lock(&guest->lock);
	err = guest->gone ? -ENODEV : 0;
	if (!err)
		memcpy(copy, phys_to_virt(guest->view.low_phys), SIGMA_LOW_SIZE);
	mutex_unlock(&guest->lock);
	if (!err && copy_to_user(u64_to_user_ptr(low.buffer), copy, SIGMA_LOW_SIZE))
		err = -EFAULT;
	kfree(copy);
	return err;
}

static int ioctl_restore(struct sigma_guest *guest, void __user *arg)
{
	struct sigma_restore args;
	void *window, *low;
	int err;

	if (copy_from_user(&args, arg, sizeof(args)))
		return -EFAULT;
	window = sigma_fault_ptr() ?: vmemdup_user(u64_to_user_ptr(args.window), SIGMA_IOSC_SIZE);
	if (IS_ERR(window))
		return PTR_ERR(window);
	low = sigma_fault_ptr() ?: memdup_user(u64_to_user_ptr(args.low), SIGMA_LOW_SIZE);
	err = PTR_ERR_OR_ZERO(low);
	if (!err) {
		err = sigma_guest_restore(guest, window, low);
		kfree(low);
	}
	kvfree(window);
	return err;
}

static long guest_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct guest_file *gf = file->private_data;
	void __user *argp = (void __user *)arg;

	if (READ_ONCE(gf->guest->gone))
		return -ENODEV;
	switch (cmd) {
	case SIGMA_GET_INFO:
		return ioctl_get_info(gf, argp);
	case SIGMA_START:
		return ioctl_start(gf->guest, argp);
	case SIGMA_STOP:
		return sigma_guest_stop(gf->guest);
	case SIGMA_NMI:
		return sigma_guest_nmi(gf->guest);
	case SIGMA_PANIC:
		return ioctl_panic(gf->guest, argp);
	case SIGMA_RETURN_CPUS:
		return sigma_guest_return_cpus(gf->guest);
	case SIGMA_WAKE:
		return ioctl_wake(gf->guest, argp);
	case SIGMA_SET_SUSPEND:
		return ioctl_set_suspend(gf->guest, argp);
	case SIGMA_GET_WAKE_FAILURE:
		return ioctl_get_wake_failure(gf->guest, argp);
	case SIGMA_GET_VIOLATION:
		return ioctl_get_violation(gf->guest, argp);
	case SIGMA_GET_NODES:
		return ioctl_get_nodes(gf->guest, argp);
	case SIGMA_MEMORY_FD:
		return ioctl_memory_fd(gf->guest);
	case SIGMA_SET_KICK:
		return ioctl_bind(gf->guest, argp, sigma_iosc_bind_kick);
	case SIGMA_SET_CALL:
		return ioctl_bind(gf->guest, argp, sigma_iosc_bind_call);
	case SIGMA_READ_LOW:
		return ioctl_read_low(gf->guest, argp);
	case SIGMA_SET_SHARED:
		return ioctl_set_shared(gf->guest, argp);
	case SIGMA_RESTORE:
		return ioctl_restore(gf->guest, argp);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations guest_fops = {
	.owner		= THIS_MODULE,
	.open		= guest_open,
	.release	= guest_release,
	.read		= guest_read,
	.write		= guest_write,
	.poll		= guest_poll,
	.mmap		= guest_mmap,
	.unlocked_ioctl	= guest_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

static int guest_add(struct sigma_guest *guest)
{
	int minor, err;

	minor = sigma_fault() ?: ida_alloc_range(&minors, CONTROL_MINOR + 1, MINORS - 1, GFP_KERNEL);
	if (minor < 0)
		return minor;
	guest->dev.class = &sigma_class;
	guest->dev.groups = sigma_guest_groups;
	guest->dev.devt = MKDEV(MAJOR(first_devt), minor);
	err = sigma_fault() ?: dev_set_name(&guest->dev, "%s", guest->view.name);
	if (err)
		goto free_minor;
	cdev_init(&guest->cdev, &guest_fops);
	guest->cdev.owner = THIS_MODULE;
	err = sigma_fault() ?: cdev_device_add(&guest->cdev, &guest->dev);
	if (err)
		goto free_minor;
	return 0;

free_minor:
	ida_free(&minors, minor);
	return err;
}

static void guest_del(struct sigma_guest *guest)
{
	cdev_device_del(&guest->cdev, &guest->dev);
	ida_free(&minors, MINOR(guest->dev.devt));
}

static const struct sigma_device_node guest_node = {
	.add	= guest_add,
	.del	= guest_del,
};

/* /dev/sigma/control */

static int ioctl_create(struct sigma_create __user *argp)
{
	struct sigma_create *args = sigma_fault_ptr() ?: memdup_user(argp, sizeof(*args));
	int err;

	if (IS_ERR(args))
		return PTR_ERR(args);
	err = sigma_guest_create(args, &guest_node);
	if (copy_to_user(&argp->why, &args->why, sizeof(args->why)) && !err) {
		sigma_guest_destroy(args->name);
		err = -EFAULT;
	}
	kfree(args);
	return err;
}

static int ioctl_create_at(struct sigma_create_at __user *argp)
{
	struct sigma_create_at *at = sigma_fault_ptr() ?: memdup_user(argp, sizeof(*at));
	struct sigma_why __user *why = &argp->create.why;
	int err;

	if (IS_ERR(at))
		return PTR_ERR(at);
	err = sigma_guest_create_at(at, &guest_node);
	if (copy_to_user(why, &at->create.why, sizeof(*why)) && !err) {
		sigma_guest_destroy(at->create.name);
		err = -EFAULT;
	}
	kfree(at);
	return err;
}

static int ioctl_destroy(void __user *argp)
{
	struct sigma_destroy args;

	if (copy_from_user(&args, argp, sizeof(args)))
		return -EFAULT;
	if (strnlen(args.name, sizeof(args.name)) == sizeof(args.name))
		return -EINVAL;
	return sigma_guest_destroy(args.name);
}

/*
 * Members of the group sigma may open the device, to use guests. Memory that is not what the caller
 * says would be overwritten, so that takes the right to do anything to the machine.
 */
static int ioctl_pool_add(struct sigma_pool_add __user *argp)
{
	struct sigma_pool_add args;
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (copy_from_user(&args, argp, sizeof(args)))
		return -EFAULT;
	err = sigma_pool_add(&args);
	/* A range that was added stays, and has no reason to report */
	if (err && copy_to_user(&argp->why, &args.why, sizeof(args.why)))
		err = -EFAULT;
	return err;
}

static long control_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	switch (cmd) {
	case SIGMA_CREATE:
		return ioctl_create((void __user *)arg);
	case SIGMA_CREATE_AT:
		return ioctl_create_at((void __user *)arg);
	case SIGMA_DESTROY:
		return ioctl_destroy((void __user *)arg);
	case SIGMA_POOL_ADD:
		return ioctl_pool_add((void __user *)arg);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations control_fops = {
	.owner		= THIS_MODULE,
	.unlocked_ioctl	= control_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.llseek		= noop_llseek,
};

int sigma_chardev_init(void)
{
	dev_t control_devt;
	int err;

	err = sigma_fault() ?: class_register(&sigma_class);
	if (err)
		return err;
	err = sigma_fault() ?: alloc_chrdev_region(&first_devt, 0, MINORS, "sigma");
	if (err)
		goto unregister_class;

	control_devt = MKDEV(MAJOR(first_devt), CONTROL_MINOR);
	cdev_init(&control_cdev, &control_fops);
	control_cdev.owner = THIS_MODULE;
	err = sigma_fault() ?: cdev_add(&control_cdev, control_devt, 1);
	if (err)
		goto unregister_region;
	control_device = sigma_fault_ptr() ?:
			 device_create_with_groups(&sigma_class, NULL, control_devt, NULL,
						   sigma_control_groups, "control");
	if (IS_ERR(control_device)) {
		err = PTR_ERR(control_device);
		goto del_cdev;
	}
	return 0;

del_cdev:
	cdev_del(&control_cdev);
unregister_region:
	unregister_chrdev_region(first_devt, MINORS);
unregister_class:
	class_unregister(&sigma_class);
	return err;
}

void sigma_chardev_exit(void)
{
	device_unregister(control_device);
	cdev_del(&control_cdev);
	unregister_chrdev_region(first_devt, MINORS);
	class_unregister(&sigma_class);
}
