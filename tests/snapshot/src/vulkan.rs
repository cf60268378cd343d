//! Vulkan: a frame ends when it is presented.
//!
//! Its image is copied to memory that the CPU reads; for that, images of swapchains may be copied from.

#![expect(unreachable_pub, reason = "exported as symbols")]

use std::sync::Mutex;

use ash::prelude::VkResult;
use ash::vk;

use crate::frames::{self, Picture};
use crate::next::{address, next};

/// What the program has made, as far as a copy needs it.
#[derive(Clone, Copy, Default)]
struct Made {
    physical: vk::PhysicalDevice,
    device: vk::Device,
    swapchain: vk::SwapchainKHR,
    format: vk::Format,
    size: vk::Extent2D,
}

/// One device, one swapchain: the last ones made.
static MADE: Mutex<Option<Made>> = Mutex::new(None);

fn note(change: impl FnOnce(&mut Made)) {
    let mut made = MADE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    change(made.get_or_insert_default());
}

/// # Safety
/// As Vulkan's.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn vkCreateDevice(
    physical: vk::PhysicalDevice,
    info: *const vk::DeviceCreateInfo<'_>,
    allocator: *const vk::AllocationCallbacks<'_>,
    device: *mut vk::Device,
) -> vk::Result {
    let next = next!(c"vkCreateDevice", vk::PFN_vkCreateDevice);
    // SAFETY: as our caller promises.
    let result = unsafe { next(physical, info, allocator, device) };
    if result == vk::Result::SUCCESS {
        // SAFETY: it was written a moment ago.
        note(|made| (made.physical, made.device) = (physical, unsafe { *device }));
    }
    result
}

/// # Safety
/// As Vulkan's.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn vkCreateSwapchainKHR(
    device: vk::Device,
    info: *const vk::SwapchainCreateInfoKHR<'_>,
    allocator: *const vk::AllocationCallbacks<'_>,
    swapchain: *mut vk::SwapchainKHR,
) -> vk::Result {
    let next = next!(c"vkCreateSwapchainKHR", vk::PFN_vkCreateSwapchainKHR);
    // SAFETY: as our caller promises.
    let mut info = unsafe { *info };
    info.image_usage |= vk::ImageUsageFlags::TRANSFER_SRC;
    // SAFETY: as our caller promises; the structure has but one more use of its images.
    let result = unsafe { next(device, &raw const info, allocator, swapchain) };
    if result == vk::Result::SUCCESS {
        note(|made| {
            (made.format, made.size) = (info.image_format, info.image_extent);
            // SAFETY: it was written a moment ago.
            made.swapchain = unsafe { *swapchain };
        });
    }
    result
}

/// # Safety
/// As Vulkan's.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn vkQueuePresentKHR(
    queue: vk::Queue,
    info: *const vk::PresentInfoKHR<'_>,
) -> vk::Result {
    frames::drawn(|| {
        // SAFETY: as our caller promises: one swapchain, one image.
        let image = unsafe { *(*info).p_image_indices };
        let made = MADE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let made = made.expect("who presents has made a device");
        made.picture(queue, image).expect("a copy of the image")
    });
    let next = next!(c"vkQueuePresentKHR", vk::PFN_vkQueuePresentKHR);
    // SAFETY: as our caller promises.
    unsafe { next(queue, info) }
}

impl Made {
    /// The picture in an image that is about to be presented.
    fn picture(&self, queue: vk::Queue, image: u32) -> VkResult<Picture> {
        let blue_first = match self.format {
            vk::Format::B8G8R8A8_UNORM | vk::Format::B8G8R8A8_SRGB => true,
            vk::Format::R8G8B8A8_UNORM | vk::Format::R8G8B8A8_SRGB => false,
            _ => return Err(vk::Result::ERROR_FORMAT_NOT_SUPPORTED),
        };
        let vk::Extent2D { width, height } = self.size;
        let mut bytes = vec![0; width as usize * height as usize * 4];
        // SAFETY: the objects are the program's own, and it draws with no other thread.
        let driver = unsafe {
            self.copy(queue, image, &mut bytes)?;
            let instance = ash::Instance::load_with(address, vk::Instance::null());
            instance.get_physical_device_properties(self.physical)
        };
        let driver =
            driver.device_name_as_c_str().unwrap_or_default().to_string_lossy().into_owned();
        let pixels = bytes.as_chunks::<4>().0.iter();
        let rgb = pixels.flat_map(|&[a, b, c, _]| if blue_first { [c, b, a] } else { [a, b, c] });
        Ok(Picture { width, height, rgb: rgb.collect(), driver })
    }

    /// Copies an image, when all that was submitted is done. What is made for it is never freed: the program ends.
    ///
    /// # Safety
    /// The objects are live, and no other thread uses them. Four bytes a pixel have room.
    unsafe fn copy(&self, queue: vk::Queue, image: u32, to: &mut [u8]) -> VkResult<()> {
        // SAFETY: as our caller promises; sizes and formats are the swapchain's.
        unsafe {
            let device = ash::Device::load_with(address, self.device);
            let instance = ash::Instance::load_with(address, vk::Instance::null());
            device.device_wait_idle()?;
            let image = self.image(image)?;

            let info = vk::BufferCreateInfo::default()
                .size(to.len() as u64)
                .usage(vk::BufferUsageFlags::TRANSFER_DST);
            let buffer = device.create_buffer(&info, None)?;
            let needs = device.get_buffer_memory_requirements(buffer);
            let visible =
                vk::MemoryPropertyFlags::HOST_VISIBLE | vk::MemoryPropertyFlags::HOST_COHERENT;
            let kinds = instance.get_physical_device_memory_properties(self.physical);
            let kinds = kinds.memory_types_as_slice().iter().enumerate();
            let mut fitting = kinds.filter(|(index, kind)| {
                needs.memory_type_bits >> index & 1 != 0 && kind.property_flags.contains(visible)
            });
            let (kind, _) = fitting.next().ok_or(vk::Result::ERROR_OUT_OF_HOST_MEMORY)?;
            let info = vk::MemoryAllocateInfo::default()
                .allocation_size(needs.size)
                .memory_type_index(kind as u32);
            let memory = device.allocate_memory(&info, None)?;
            device.bind_buffer_memory(buffer, memory, 0)?;

            let pool = device.create_command_pool(&vk::CommandPoolCreateInfo::default(), None)?;
            let info =
                vk::CommandBufferAllocateInfo::default().command_pool(pool).command_buffer_count(1);
            let commands = device.allocate_command_buffers(&info)?[0];
            device.begin_command_buffer(commands, &vk::CommandBufferBeginInfo::default())?;
            let colour = vk::ImageSubresourceLayers::default()
                .aspect_mask(vk::ImageAspectFlags::COLOR)
                .layer_count(1);
            let whole = vk::ImageSubresourceRange::default()
                .aspect_mask(vk::ImageAspectFlags::COLOR)
                .level_count(1)
                .layer_count(1);
            let source = vk::ImageLayout::TRANSFER_SRC_OPTIMAL;
            let barrier = vk::ImageMemoryBarrier::default()
                .src_access_mask(vk::AccessFlags::MEMORY_WRITE)
                .dst_access_mask(vk::AccessFlags::TRANSFER_READ)
                .old_layout(vk::ImageLayout::PRESENT_SRC_KHR)
                .new_layout(source)
                .image(image)
                .subresource_range(whole);
            device.cmd_pipeline_barrier(
                commands,
                vk::PipelineStageFlags::ALL_COMMANDS,
                vk::PipelineStageFlags::TRANSFER,
                vk::DependencyFlags::empty(),
                &[],
                &[],
                &[barrier],
            );
            let region = vk::BufferImageCopy::default()
                .image_subresource(colour)
                .image_extent(self.size.into());
            device.cmd_copy_image_to_buffer(commands, image, source, buffer, &[region]);
            device.end_command_buffer(commands)?;
            let commands = [commands];
            let submit = vk::SubmitInfo::default().command_buffers(&commands);
            device.queue_submit(queue, &[submit], vk::Fence::null())?;
            device.device_wait_idle()?;

            let at = device.map_memory(memory, 0, vk::WHOLE_SIZE, vk::MemoryMapFlags::empty())?;
            to.copy_from_slice(std::slice::from_raw_parts(at.cast(), to.len()));
        }
        Ok(())
    }

    /// An image of the swapchain.
    ///
    /// # Safety
    /// The swapchain is live.
    unsafe fn image(&self, index: u32) -> VkResult<vk::Image> {
        let get = next!(c"vkGetSwapchainImagesKHR", vk::PFN_vkGetSwapchainImagesKHR);
        let mut images = [vk::Image::null(); 16];
        let mut count = images.len() as u32;
        // SAFETY: as our caller promises, and there is room for as many as `count` says.
        unsafe { get(self.device, self.swapchain, &raw mut count, images.as_mut_ptr()).result()? };
        Ok(images[index as usize])
    }
}
